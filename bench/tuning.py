"""SFT: tokens a second through the gradient of a batch, one worker, one thread.

    python -m bench.tuning [--batch 16] [--batches 4] [--repeats 7] [--json]

Counted are all tokens of the transcripts, pictures included, padding not. Peer: the whole
transformers model (``pixel_values``, ``labels``), forward and backward, on batches as they
are or split by length so that little is padded, whichever is quicker here; patches are cut
beforehand for both. Before that, building a transcript: reading and cutting its pictures and
carrying out its calls, which training does for every item.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch

from bench.material import make, model
from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.media.budget import PATCH
from pixel_core.models.batch import collate
from pixel_core.rollout.transcript import Transcript
from pixel_core.training.sft import SftDataset, learn

_IGNORED = -100


def measure(asked: argparse.Namespace) -> list[Figure]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        material = make(Path(folder), asked.batch * asked.batches)
        tuned, prompts = model(material, asked.store, "base_model")
        dataset = SftDataset(material.inputs, prompts)
        replayed = in_turns({"replay": lambda: _replay(dataset)}, asked.repeats)["replay"]
        transcripts = _replay(dataset)
    vocabulary = prompts.vocabulary
    batches = [
        transcripts[start : start + asked.batch]
        for start in range(0, len(transcripts), asked.batch)
    ]

    def ours() -> None:
        for batch in batches:
            learn(tuned, batch, vocabulary)
            tuned.zero_grad()

    pixels = {id(v): torch.from_numpy(v.patches) for t in transcripts for v in t.visuals}

    def whole() -> None:
        for batch in batches:
            _whole_model(tuned, batch, vocabulary, pixels)
            tuned.zero_grad()

    def split() -> None:
        for batch in batches:
            for group in _alike(batch):
                _whole_model(tuned, group, vocabulary, pixels)
            tuned.zero_grad()

    ways = {"batches as they are": whole, "batches split by length": split}
    tried = in_turns(ways, 2)
    best = min(ways, key=lambda way: tried[way].median)
    times = in_turns({"ours": ours, "peer": ways[best]}, asked.repeats)
    tokens = sum(map(len, transcripts))
    return [
        replayed.each("a transcript, its pictures read and cut", len(transcripts)),
        times["ours"].rate(
            f"SFT tokens, batches of {asked.batch}",
            tokens,
            "a second",
            peer=times["ours"].times_as_fast_as(times["peer"]),
            note=f"peer: transformers' own forward with labels, {best}",
        ),
    ]


def _replay(dataset: SftDataset) -> list[Transcript]:
    transcripts = [dataset.transcript(index) for index in range(len(dataset))]
    for transcript in transcripts:
        for visual in transcript.visuals:
            _ = visual.cut
    return transcripts


def _alike(batch: list[Transcript]) -> list[list[Transcript]]:
    """Split so that the longest of a group is at most 1.25 times its shortest."""
    groups: list[list[Transcript]] = []
    for transcript in sorted(batch, key=len):
        if not groups or len(transcript) > 1.25 * len(groups[-1][0]):
            groups.append([])
        groups[-1].append(transcript)
    return groups


def _whole_model(
    tuned: Any, group: list[Transcript], vocabulary: Any, pixels: dict[int, torch.Tensor]
) -> None:
    """Transformers' forward and backward; the loss is summed, as ours is."""
    batch = collate(group, vocabulary.pad, vocabulary.image)
    ids = batch.tokens_bt
    visuals = [visual for transcript in group for visual in transcript.visuals]
    output = tuned(
        input_ids=ids,
        attention_mask=(
            torch.arange(ids.shape[1]) < torch.tensor(batch.lengths)[:, None]
        ).long(),
        pixel_values=torch.cat([pixels[id(visual)] for visual in visuals]),
        image_grid_thw=torch.tensor(
            [[1, visual.size[1] // PATCH, visual.size[0] // PATCH] for visual in visuals]
        ),
        mm_token_type_ids=(ids == vocabulary.image).int(),
        labels=ids.masked_fill(batch.weights_bt == 0, _IGNORED),
    )
    (output.loss * int((batch.weights_bt > 0).sum())).backward()


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=7)
    options.add_argument("--batch", type=int, default=16, help="transcripts a batch")
    options.add_argument("--batches", type=int, default=4, help="batches a turn")
    options.add_argument("--store", default="", help="take its base model, not random weights")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
