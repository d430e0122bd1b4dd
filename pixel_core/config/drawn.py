"""The drawn world: its scenes, and how many questions are asked about them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Positive, Section, Share, Weight, Weights


class QuestionShares(Weights):
    """How often each question kind is asked in the drawn world; weights, not shares."""

    digit: Weight = 0.6
    count: Weight = 0.15
    exists: Weight = 0.25


class WorldConfig(Section):
    """The drawn visual-search world: coloured cards on a grid, a digit on each."""

    side: Positive = 448
    grid: Positive = 4
    card: Positive = 64
    jitter: Count = 4
    min_cards: Positive = 3
    max_cards: Annotated[int, Field(gt=0, le=8)] = 6
    #: Pixels of the picture per glyph cell (of 5x7).
    small_glyph: Positive = 2
    big_glyph: Positive = 7
    big_share: Share = 0.5
    questions: QuestionShares = QuestionShares()


class ClipConfig(Section):
    """Drawn videos: cards come and go."""

    frames: Positive = 16
    side: Positive = 168
    grid: Positive = 1
    card: Positive = 144
    jitter: Count = 4
    #: Pixels of a frame per glyph cell (of 5x7).
    glyph: Positive = 3
    #: Number of cards that appear, each for one frame up to ``longest``.
    visits: Annotated[int, Field(gt=0, le=8)] = 3
    longest: Positive = 3

    @model_validator(mode="after")
    def _event(self) -> Self:
        if self.longest >= self.frames:
            raise ValueError(
                f"longest {self.longest} of {self.frames} frames: a card that is always there "
                "needs no frame selected"
            )
        return self


class DrawnConfig(Section):
    world: WorldConfig = WorldConfig()
    #: Share of videos among the questions; the other questions stay the same whatever it is.
    video_share: Share = 0.0
    clip: ClipConfig = ClipConfig()
    train: Positive = 3000
    validation: Positive = 200
    test: Positive = 500
    seed: int = 0

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.video_share else frozenset({"clip"})
