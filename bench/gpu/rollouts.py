"""Rollouts a minute: the episode loop over vLLM and the 7B architecture with random weights.

    python -m bench.gpu.rollouts [--queries 32] [--group 8] [--zooms 2] [--words 150]
                                 [--pixels 2000 1000] [--text 700] [--tensor-parallel 1]
                                 [--sequences 256] [--repeats 3] [--json]
    python -m bench.gpu.rollouts --tiny [--engine vllm]     the same on a CPU, in seconds

A question of ``--text`` tokens is about one picture; every rollout zooms ``--zooms`` times, at
places of its own, and answers. ``--pixels``: visual tokens of the picture and of each crop.
A turn is ``--words`` tokens: the model says random words, for it can say no others, and
their last are exchanged for the call or the answer, whose keys and values are then read as
part of the next prompt. Everything else is as in training: prefix cache, pictures cut,
resized and sent by the loop, tokens chosen with their log-probabilities.

``--tiny`` has the embedded engine unless vLLM is asked for; the large shape has vLLM alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.gpu.architecture import QWEN2_5_VL_7B, TINY, Architecture, build, config_of
from bench.gpu.device import this_device
from bench.gpu.sft_step import picture
from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.config import (
    DialogueConfig,
    FramesConfig,
    PixelBudget,
    SamplingConfig,
    VllmConfig,
    ZoomConfig,
)
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.vllm_engine import VllmEngine
from pixel_core.records import Picture, Query
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode, RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import IMAGE, VIDEO, VISION_START, Vocabulary
from pixel_core.tiny.tokenizer import build_tokenizer

#: Heads of 32, the minimum for vLLM's attention on a CPU, and rows for our tokenizer.
SMALL = replace(TINY, vocabulary=1024, hidden=128, sections=(4, 6, 6))
ANSWER = " \\boxed{7}"


def measure(asked: argparse.Namespace) -> list[Figure]:
    dialogue = dialogue_of(asked)
    vocabulary = wordy(Vocabulary.of(build_tokenizer(dialogue)))
    prompts = Renderer(dialogue, vocabulary)
    # New questions in each turn, as in training: vLLM caches those it has read.
    batches = iter(
        [
            [opening(asked, prompts, turn * asked.queries + n) for n in range(asked.queries)]
            for turn in range(asked.repeats + 1)
        ]
    )
    device = this_device()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(asked, Path(folder), prompts)
        leader = Leader(engine, prompts, asked)
        done: list[Episode] = []

        def rollouts() -> None:
            done[:] = run_episodes(
                leader, prompts, next(batches), asked.group, SamplingConfig()
            )

        rollouts()  # compiles, captures, allocates
        check(done, asked)
        leader.said = leader.read = 0
        device.forget_peak_memory()
        times = in_turns({"rollouts": rollouts}, asked.repeats, warm_up=0)["rollouts"]
        read_again = "all of them read in every turn"
        if isinstance(engine, VllmEngine):
            reused = engine.reused_tokens / engine.prompt_tokens
            read_again = f"{100 * reused:.0f} % of them out of the prefix cache"
            engine.close()
    said, read = leader.said / asked.repeats, leader.read / asked.repeats
    count = asked.queries * asked.group
    where = f"{'small' if asked.tiny else 'Qwen2.5-VL-7B'}, {asked.engine}, on {device.name}"
    size = f"{asked.queries} questions x {asked.group}, {asked.zooms} zooms each"
    figures = [
        times.rate("rollouts", 60 * count, "a minute", note=f"{size}; {where}"),
        times.rate("sampled tokens", said, "a second", note=f"{said / count:.0f} a rollout"),
        times.rate(
            "prompt tokens",
            read,
            "a second",
            note=f"{read / count:.0f} a rollout, pictures included; {read_again}",
        ),
    ]
    if device.memory:
        memory = device.peak_memory() / 2**30
        note = f"of {device.memory / 2**30:.0f} GiB, vLLM's whole cache included"
        figures.append(Figure("peak memory", memory, "GiB", note=note))
    return figures


def dialogue_of(asked: argparse.Namespace) -> DialogueConfig:
    """Budgets that give pictures and crops their token counts, and room for all turns."""
    shown, crop = (PixelBudget(min_pixels=n * 784, max_pixels=n * 784) for n in asked.pixels)
    whole, part = asked.pixels
    tokens = asked.text + whole + asked.zooms * part + (asked.zooms + 1) * (asked.words + 60)
    return DialogueConfig(
        prompt="compact",
        picture=shown,
        crop=crop,
        zoom=ZoomConfig(coordinates="pixel", padding=0.0),
        frames=FramesConfig(enabled=False),
        max_operations=asked.zooms,
        max_pictures=asked.zooms + 2,
        max_new_tokens=asked.words,
        # Rounding to whole tokens can add a fifth to small pictures.
        max_tokens=int(1.2 * tokens) + asked.words + 200,
    )


def wordy(vocabulary: Vocabulary) -> Vocabulary:
    """A vocabulary that allows only words: no call, and no end before the turn's last token."""
    words = {
        index
        for token, index in vocabulary.tokenizer.get_vocab().items()
        if token.removeprefix("Ġ").isascii() and token.removeprefix("Ġ").isalpha()
    }
    banned = tuple(sorted(set(range(len(vocabulary.tokenizer))) - words))
    return replace(vocabulary, banned=banned)


def opening(asked: argparse.Namespace, prompts: Renderer, number: int) -> RenderedPrompt:
    """A question of words about a noise picture larger than the size it is shown at."""
    rng = np.random.default_rng(number)
    image = picture(2 * asked.pixels[0], rng).image
    words = prompts.vocabulary.encode_plain(" which" * asked.text)[: asked.text]
    shown = Picture(member="0", width=image.width, height=image.height, sha256="")
    query = Query(
        id=f"q{number}",
        question=prompts.vocabulary.decode(words),
        pictures=(shown,),
        answers=("7",),
        kind="digit",
    )
    return RenderedPrompt.of(query, [image], prompts)


def open_engine(asked: argparse.Namespace, folder: Path, prompts: Renderer) -> Any:
    shape = SMALL if asked.tiny else QWEN2_5_VL_7B
    if asked.engine == "embedded":
        torch.manual_seed(0)
        model = build(shape).eval()
        tokenizer = prompts.vocabulary.tokenizer
        model.config.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
        rows = range(len(tokenizer), shape.vocabulary)
        banned = (*prompts.vocabulary.banned, *rows)
        return EmbeddedEngine(model, replace(prompts.vocabulary, banned=banned))
    write_folder(shape, prompts.vocabulary, folder)
    config = VllmConfig(
        dtype="float32" if asked.tiny else "bfloat16",
        tensor_parallel=asked.tensor_parallel,
        max_sequences=asked.sequences,
        eager=asked.tiny,
    )
    return VllmEngine(folder, prompts.vocabulary, prompts.dialogue, config, random_weights=True)


def write_folder(shape: Architecture, vocabulary: Vocabulary, folder: Path) -> None:
    """A model folder without weights: the architecture, with this tokenizer's ids."""
    tokenizer, config = vocabulary.tokenizer, config_of(shape)
    config.architectures = ["Qwen2_5_VLForConditionalGeneration"]
    config.image_token_id = vocabulary.image
    config.video_token_id = tokenizer.convert_tokens_to_ids(VIDEO)
    config.vision_start_token_id = tokenizer.convert_tokens_to_ids(VISION_START)
    config.text_config.pad_token_id = vocabulary.pad
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Leader:
    """The engine's own words, with a call or the answer replacing each turn's last ones.

    All rows are in the same turn; the number of pictures tells which.
    """

    def __init__(self, engine: Any, prompts: Renderer, asked: argparse.Namespace) -> None:
        self.said = self.read = 0
        self._engine, self._prompts, self._asked = engine, prompts, asked

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        own = self._engine.generate(transcripts, sampling, max_new_tokens)
        # The embedded engine cached its own last words, which differ from the transcript's.
        self._engine.forget()
        self.said += sum(len(one.tokens) for one in own)
        self.read += sum(map(len, transcripts))
        return [
            self._exchanged(row, transcript, one)
            for row, (transcript, one) in enumerate(zip(transcripts, own, strict=True))
        ]

    def _exchanged(self, row: int, transcript: Transcript, own: Completion) -> Completion:
        vocabulary, turn = self._prompts.vocabulary, len(transcript.visuals) - 1
        text = ANSWER if turn == self._asked.zooms else self._call(row, transcript)
        last = [*vocabulary.encode_plain(text), vocabulary.turn_end]
        kept = len(own.tokens) - len(last)
        if kept < 0:
            raise SystemExit(f"--words {len(own.tokens)} is too few for a call: {len(last)}")
        logprobs = [*own.logprobs[:kept], *[0.0] * len(last)]
        return Completion([*own.tokens[:kept], *last], logprobs, finished=True)

    def _call(self, row: int, transcript: Transcript) -> str:
        """Zoom to half of the question's picture, at a place specific to rollout and turn."""
        width, height = transcript.visuals[0].size
        place = row + 7 * len(transcript.visuals)
        left, top = place % (width // 2), place % (height // 2)
        box = (left, top, left + width // 2, top + height // 2)
        return format_call(ZoomCall(box=box, target=1), self._prompts.dialogue.zoom)

    def forget(self) -> None:
        self._engine.forget()


def check(done: list[Episode], asked: argparse.Namespace) -> None:
    """Check that the work was as intended; otherwise the figures would be of other work."""
    zooms = {episode.zooms for episode in done}
    stops = {str(episode.stop) for episode in done}
    if zooms != {asked.zooms} or stops != {"answered"}:
        raise SystemExit(f"rollouts zoomed {zooms} times and ended {stops}: nothing to measure")


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = arguments(__doc__ or "", repeats=3)
    parser.add_argument("--tiny", action="store_true", help="a small shape, in seconds")
    parser.add_argument("--engine", choices=("embedded", "vllm"), default=None)
    parser.add_argument("--queries", type=int, help="questions asked together")
    parser.add_argument("--group", type=int, help="rollouts of a question")
    parser.add_argument("--zooms", type=int, default=2, help="of each rollout")
    parser.add_argument("--words", type=int, help="tokens of a turn")
    parser.add_argument("--text", type=int, help="tokens of a question")
    parser.add_argument("--pixels", type=int, nargs=2, help="visual tokens: picture, crop")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=256, help="that vLLM works on at once")
    asked = parser.parse_args(argv)
    sizes = (2, 2, 60, 20, [16, 9]) if asked.tiny else (32, 8, 150, 700, [2000, 1000])
    for name, size in zip(("queries", "group", "words", "text", "pixels"), sizes, strict=True):
        if getattr(asked, name) is None:
            setattr(asked, name, size)
    asked.engine = asked.engine or ("embedded" if asked.tiny else "vllm")
    if asked.engine == "embedded" and not asked.tiny:
        parser.error("--engine embedded is for --tiny: the large shape needs vLLM")
    if min(asked.pixels) < 4:
        parser.error(f"--pixels {asked.pixels}: 4 visual tokens are the least to zoom into")
    return asked


if __name__ == "__main__":
    options = parsed()
    tell(options, measure(options))
