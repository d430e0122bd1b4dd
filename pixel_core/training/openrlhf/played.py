"""A rollout as OpenRLHF trains on it: its tokens, which of them are actions, its pictures.

Legend: t token, p patch, k picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pixel_core.media.patches import grid_of
from pixel_core.records import StopReason
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode

#: Half-open places of tokens.
Range = tuple[int, int]


@dataclass
class Played:
    """An episode, and where in its transcript the model spoke."""

    episode: Episode
    #: Turns that came to their end: they are trained.
    trained: list[Range] = field(default_factory=list)
    #: Tokens up to the last one sampled, and the pictures among them.
    tokens: int = 0
    pictures: int = 0

    def note(self, completion: Completion) -> None:
        """Called before a turn is appended to the transcript."""
        transcript = self.episode.transcript
        start = len(transcript)
        self.tokens = start + len(completion.tokens)
        self.pictures = len(transcript.visuals)
        if completion.finished:
            self.trained.append((start, self.tokens))

    def response(self, uniform: bool, logprobs: bool) -> dict[str, Any]:
        """The parts of OpenRLHF's response that are about tokens.

        What was returned to a call after which nothing was said is left out: nobody learns
        from it, and with it a sequence could be longer than ``max_tokens``, which OpenRLHF
        would cut through a picture.

        A turn cut by the token limit is no action. A rollout with no action at all, in a
        group that teaches nothing (``uniform``), lends its last token: its advantage is
        exactly 0, and a batch without a single action would divide 0 by 0 there.
        """
        transcript = self.episode.transcript
        end = self.tokens or len(transcript)
        ranges = list(self.trained)
        if not ranges and uniform:
            ranges = [(end - 1, end)]
        return {
            "observation_tokens": transcript.tokens[:end],
            "action_ranges": ranges,
            "rollout_log_probs": transcript.logprobs[:end] if logprobs else None,
            "truncated": self.episode.stop is StopReason.TRUNCATED,
            "mm_train_inputs": self._pictures(),
        }

    def _pictures(self) -> dict[str, torch.Tensor]:
        """``pixel_values`` (p, 1176), ``image_grid_thw`` (k, 3), as transformers names them.

        Bfloat16, since the trainer's vision tower rounds to it first of all: half the bytes
        on their way, and the same numbers.
        """
        visuals = self.episode.transcript.visuals[: self.pictures or None]
        patches = np.concatenate([visual.patches for visual in visuals])
        grids = [grid_of(visual.size) for visual in visuals]
        return {
            "pixel_values": torch.from_numpy(patches).to(torch.bfloat16),
            "image_grid_thw": torch.tensor(grids, dtype=torch.int64),
        }
