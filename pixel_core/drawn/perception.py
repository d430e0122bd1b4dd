"""Perception tasks on drawn scenes: what a vision-language model knows before it reasons.

A task is a list of parts: text with a loss weight, the scene's picture, or a zoomed card.
Coordinates are given in pixels of the picture as shown, as the zoom call will need them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pixel_core.config import QuestionShares
from pixel_core.drawn.questions import Question, ask, subject_of
from pixel_core.drawn.scene import Card, Scene
from pixel_core.records import Box

INSTRUCTION = "list the cards"
UNREADABLE = "?"
#: The corner's far side follows from the near one; it need not be learnt as hard. Commas
#: follow from the grammar.
_FAR, _COMMA = 0.3, 0.1


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Zoomed:
    """A zoomed-in region of the scene."""

    box: Box


Part = Text | Zoomed


def _box_text(box: Box, scale: float) -> list[int]:
    return [round(value * scale) for value in box.as_tuple()]


def _digit(card: Card) -> str:
    return card.digit if card.big else UNREADABLE


def listing(scene: Scene, scale: float) -> list[Part]:
    """Every card in raster order: colour, left, top, digit (or unreadable)."""
    parts: list[Part] = []
    for card in sorted(scene.cards, key=lambda card: card.cell):
        left, top, _, _ = _box_text(scene.world.slot(card.cell), scale)
        parts += [
            Text(f" {card.colour}", 1.0),
            Text(str(left), 1.0),
            Text(str(top), 1.0),
            Text(_digit(card), 1.0),
        ]
    return parts


def lookup(scene: Scene, rng: random.Random, scale: float) -> list[Part]:
    """Cards named in random order: each one's box and digit are to be found."""
    parts: list[Part] = []
    for card in rng.sample(scene.cards, len(scene.cards)):
        x1, y1, x2, y2 = _box_text(scene.world.slot(card.cell), scale)
        parts += [
            Text(f" {subject_of(card.colour)} "),
            Text(str(x1), 1.0),
            Text(", ", _COMMA),
            Text(str(y1), 1.0),
            Text(", ", _COMMA),
            Text(str(x2), _FAR),
            Text(", ", _COMMA),
            Text(str(y2), _FAR),
            Text(" "),
            Text(_digit(card), 1.0),
        ]
    return parts


def reading(scene: Scene, rng: random.Random, count: int = 4) -> list[Part]:
    """Zoomed cards one after the other, each followed by its digit."""
    parts: list[Part] = []
    for card in rng.choices(scene.cards, k=count):
        parts += [Zoomed(scene.world.slot(card.cell)), Text(card.digit, 1.0)]
    return parts


def question(scene: Scene, rng: random.Random, digits_only: bool = False) -> Question:
    """A question as the benchmark asks it."""
    shares = QuestionShares(digit=1, count=0, exists=0) if digits_only else QuestionShares()
    return ask(scene, rng, shares)
