"""A conversation as tokens: what was shown, what was sampled, and what is trained.

Tokens are only ever appended. The sampled tokens are the trained tokens: nothing here is
decoded and tokenised again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pixel_core.media.patches import cut, put_together, resized, visual_tokens, whole
from pixel_core.rollout.operations import ShownPicture


class Visual:
    """A picture as the vision tower takes it, and as an engine elsewhere is sent it.

    ``cut``: its patches as bytes, uint8 (patches, 588), see ``vision.patches``. ``patches``:
    float32 (patches, 1176), made anew each time. ``image``: the same pixels, RGB, of
    ``size``: shown (width, height) in pixels. One form is held, made when first asked for,
    and makes the others; the source picture, which may be large, is let go then.
    Two transcripts that hold the same object share one pass through the tower.
    """

    __slots__ = ("_held", "_source", "size")

    def __init__(self, shown: ShownPicture) -> None:
        self.size = shown.size
        self._source: ShownPicture | None = shown
        self._held: np.ndarray | Image.Image | None = None

    @property
    def cut(self) -> np.ndarray:
        if not isinstance(self._held, np.ndarray):
            self._held = cut(self.image)
        return self._held

    @property
    def patches(self) -> np.ndarray:
        return whole(self.cut)

    @property
    def image(self) -> Image.Image:
        """Not to be drawn on."""
        if isinstance(self._held, np.ndarray):
            return put_together(self._held, self.size)
        if self._held is None:
            assert self._source is not None
            self._held = resized(self._source.image, self.size)
            self._source = None
        return self._held

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

    def append_sampled(
        self, tokens: list[int], logprobs: list[float] | None, trained: bool
    ) -> None:
        """Add tokens the model sampled, with their log-probabilities. Where nobody knows
        these (None) they are NaN, and the tokens carry no weight whatever ``trained`` says."""
        if logprobs is None:
            trained, logprobs = False, [math.nan] * len(tokens)
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
