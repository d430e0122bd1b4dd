"""The engines compared in the rollout benchmark, and the script for untrained models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pixel_core.config import SamplingConfig
from pixel_core.media.budget import PATCH
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.rollout.vocabulary import Vocabulary


def script_of(prompts: Renderer, rollouts: int) -> list[list[list[int]]]:
    """For each of a group's rollouts, two turns as tokens: a zoom, and an answer.

    Every rollout zooms to a different place: shared work is done once, so a group of identical
    rollouts would be the work of a single one.
    """
    pixel = prompts.dialogue.zoom.coordinates == "pixel"
    vocabulary = prompts.vocabulary
    scripts = []
    for rollout in range(rollouts):
        at = rollout % 16
        x, y = at % 4, at // 4
        left, top = 12 + 10 * x, 12 + 10 * y
        unit = 1 if pixel else 112
        box = (left / unit, top / unit, (left + 48) / unit, (top + 48) / unit)
        call = format_call(ZoomCall(box=box, target=1), prompts.dialogue.zoom)
        texts = (f"zoom in on the middle {call}", "the crop shows \\boxed{7}")
        scripts.append([[*vocabulary.encode_plain(t), vocabulary.turn_end] for t in texts])
    if len({len(script[0]) for script in scripts}) > 1:
        raise ValueError("the scripted calls differ in tokens: choose other boxes")
    return scripts


class ScriptedWords:
    """The words of each step of each turn, whatever the model would say."""

    def __init__(self, scripts: list[list[list[int]]]) -> None:
        self.scripts = scripts

    def turn_of(self, transcript: Transcript, rollout: int = 0) -> list[int]:
        """The next turn; the number of pictures (one a zoom) tells which."""
        return self.scripts[rollout % len(self.scripts)][len(transcript.visuals) - 1]


class Speaking(EmbeddedEngine):
    """The embedded engine doing all its work, but emitting the scripts' tokens.

    All rows are in the same turn with the same number of tokens, so none ends before others.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary, words: ScriptedWords) -> None:
        super().__init__(model, vocabulary)
        self._words = words
        self._said: list[tuple[int, ...]] = []

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        said = [self._words.turn_of(t, row) for row, t in enumerate(transcripts)]
        self._said = list(zip(*said, strict=True))
        return super().generate(transcripts, sampling, max_new_tokens)

    def _sample(
        self, logits_nv: Tensor, sampling: SamplingConfig, node_r: Tensor, draw_r: Tensor
    ) -> tuple[Tensor, Tensor]:
        tokens_r, logprobs_r = super()._sample(logits_nv, sampling, node_r, draw_r)
        return torch.tensor(self._said.pop(0), dtype=tokens_r.dtype), logprobs_r


class TransformersEngine:
    """The peer: transformers' ``generate`` for one transcript after another, greedy.

    Nothing is kept between turns. Log-probabilities are not computed, in the peer's favour.
    """

    def __init__(
        self, model: Any, vocabulary: Vocabulary, words: ScriptedWords | None = None
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._words = words
        #: Patches of pictures shown so far, cut once each. Held visuals keep their ids unique.
        self._patches: dict[int, tuple[Visual, Tensor]] = {}

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        if sampling.temperature:
            raise ValueError("the peer is measured greedy: use temperature 0")
        return [self._one(transcript, max_new_tokens) for transcript in transcripts]

    def forget(self) -> None:
        self._patches = {}

    def _cut(self, visual: Visual) -> Tensor:
        if id(visual) not in self._patches:
            self._patches[id(visual)] = (visual, torch.from_numpy(visual.patches))
        return self._patches[id(visual)][1]

    def _one(self, transcript: Transcript, max_new_tokens: int) -> Completion:
        vocabulary = self._vocabulary
        ids = torch.tensor([transcript.tokens])
        options: dict[str, Any] = {"suppress_tokens": list(vocabulary.banned)}
        if self._words:
            said = self._words.turn_of(transcript)
            # A function of the length so far: the only token allowed next.
            options = {
                "prefix_allowed_tokens_fn": lambda _, so_far: [said[len(so_far) - ids.shape[1]]]
            }
        visuals = transcript.visuals
        out = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=torch.cat([self._cut(visual) for visual in visuals]),
            image_grid_thw=torch.tensor(
                [[1, visual.size[1] // PATCH, visual.size[0] // PATCH] for visual in visuals]
            ),
            mm_token_type_ids=(ids == vocabulary.image).int(),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=vocabulary.turn_end,
            pad_token_id=vocabulary.pad,
            **options,
        )
        tokens = out[0, ids.shape[1] :].tolist()
        finished = tokens[-1] == vocabulary.turn_end
        return Completion(tokens, [0.0] * len(tokens), finished)
