"""The engines that the rollout benchmark compares, and the script for untrained models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pixel_core.config import SamplingConfig
from pixel_core.dialogue.calls import ZoomCall, format_call
from pixel_core.dialogue.engine import Completion
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.transcript import Transcript
from pixel_core.dialogue.vocabulary import Vocabulary
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.vision.budget import PATCH


def script_of(prompts: Prompts) -> list[list[int]]:
    """Two turns as tokens: a zoom into the middle, and an answer."""
    pixel = prompts.dialogue.zoom.coordinates == "pixel"
    box = (28, 28, 84, 84) if pixel else (0.25, 0.25, 0.75, 0.75)
    call = format_call(ZoomCall(box=box, target=1), prompts.dialogue.zoom)
    vocabulary = prompts.vocabulary
    return [
        [*vocabulary.encode_plain(text), vocabulary.turn_end]
        for text in (f"zoom in on the middle {call}", "the crop shows \\boxed{7}")
    ]


class ScriptedWords:
    """What is said at each step of each turn, whatever the model would say."""

    def __init__(self, turns: list[list[int]]) -> None:
        self.turns = turns

    def turn_of(self, transcript: Transcript) -> list[int]:
        """The next turn: how many were taken shows in the pictures (one a zoom)."""
        return self.turns[len(transcript.visuals) - 1]


class Speaking(EmbeddedEngine):
    """The embedded engine with all its work, saying the script's tokens in the end."""

    def __init__(self, model: Any, vocabulary: Vocabulary, words: ScriptedWords) -> None:
        super().__init__(model, vocabulary)
        self._words = words
        self._said: list[int] = []

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        self._said = list(self._words.turn_of(transcripts[0])) if transcripts else []
        return super().generate(transcripts, sampling, max_new_tokens)

    def _sample(
        self, logits_bv: Tensor, sampling: SamplingConfig, draw_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        tokens_b, logprobs_b = super()._sample(logits_bv, sampling, draw_b)
        return torch.full_like(tokens_b, self._said.pop(0)), logprobs_b


class TransformersEngine:
    """The peer: transformers' ``generate`` for one transcript after the other, greedy.

    Nothing is kept between turns. Log-probabilities are not computed: that favours it.
    """

    def __init__(
        self, model: Any, vocabulary: Vocabulary, words: ScriptedWords | None = None
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._words = words

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        if sampling.temperature:
            raise ValueError("the peer is measured greedy: use temperature 0")
        return [self._one(transcript, max_new_tokens) for transcript in transcripts]

    def forget(self) -> None:
        pass

    def _one(self, transcript: Transcript, max_new_tokens: int) -> Completion:
        vocabulary = self._vocabulary
        ids = torch.tensor([transcript.tokens])
        options: dict[str, Any] = {"suppress_tokens": list(vocabulary.banned)}
        if self._words:
            said = self._words.turn_of(transcript)
            # A function of the length so far: the only word that may follow.
            options = {
                "prefix_allowed_tokens_fn": lambda _, so_far: [said[len(so_far) - ids.shape[1]]]
            }
        visuals = transcript.visuals
        out = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=torch.cat([torch.from_numpy(visual.patches) for visual in visuals]),
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
