"""The drawn world: its scenes, and how many questions are asked about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
    #: Pixels of the picture a glyph cell (of 5x7) takes.
    small_glyph: Positive = 2
    big_glyph: Positive = 7
    big_share: Share = 0.5
    questions: QuestionShares = QuestionShares()


class DrawnConfig(Section):
    world: WorldConfig = WorldConfig()
    train: Positive = 3000
    validation: Positive = 200
    test: Positive = 500
    seed: int = 0
