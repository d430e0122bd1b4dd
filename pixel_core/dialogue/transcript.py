"""A conversation as tokens: what was shown, what was sampled, and what is trained.

Tokens are only ever appended. The sampled tokens are the trained tokens: nothing here is
decoded and tokenised again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pixel_core.vision.operations import ShownPicture
from pixel_core.vision.patches import patchify, visual_tokens


class Visual:
    """A picture as the vision tower takes it; patches are cut when first asked for.

    ``patches``: float32 (patches, 1176). ``size``: shown (width, height) in pixels.
    Two transcripts that hold the same object share one pass through the tower.
    """

    __slots__ = ("_patches", "_shown", "size")

    def __init__(self, shown: ShownPicture) -> None:
        self.size = shown.size
        self._shown: ShownPicture | None = shown
        self._patches: np.ndarray | None = None

    @property
    def patches(self) -> np.ndarray:
        if self._patches is None:
            assert self._shown is not None
            self._patches = patchify(self._shown.image, self.size)
            self._shown = None  # the source picture may be large
        return self._patches

    @property
    def tokens(self) -> int:
        return visual_tokens(self.size)


@dataclass(slots=True)
class Transcript:
    """Tokens with, for each, its loss weight and its sampled log-probability.

    ``weights``: 0 for what is shown (prompts, tool returns, wrong operations), above 0
    for what is trained. ``logprobs``: of the sampled tokens, 0.0 elsewhere. ``visuals``:
    in the order of their placeholder runs.
    """

    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    visuals: list[Visual] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    def append(self, tokens: list[int], weight: float = 0.0) -> None:
        """Add tokens that were given, not sampled."""
        self.tokens += tokens
        self.weights += [weight] * len(tokens)
        self.logprobs += [0.0] * len(tokens)

    def append_weighted(self, tokens: list[int], weights: list[float]) -> None:
        """Add tokens that were given, each with its own weight."""
        self.tokens += tokens
        self.weights += weights
        self.logprobs += [0.0] * len(tokens)

    def append_sampled(self, tokens: list[int], logprobs: list[float], trained: bool) -> None:
        """Add tokens the model sampled, with their log-probabilities."""
        self.tokens += tokens
        self.weights += [1.0 if trained else 0.0] * len(tokens)
        self.logprobs += logprobs

    def append_visual(self, visual: Visual, placeholder: int) -> None:
        self.append([placeholder] * visual.tokens)
        self.visuals.append(visual)

    def fork(self) -> Transcript:
        """A copy to go on from; the visuals are shared."""
        return Transcript(
            list(self.tokens), list(self.weights), list(self.logprobs), list(self.visuals)
        )
