"""Perception tasks on drawn scenes: what a vision-language model knows before it reasons.

Coordinates are pixels of the picture as shown, as the zoom call will need them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pixel_core.config import QuestionShares
from pixel_core.records import Box
from pixel_core.tiny.questions import DrawnQuestion, ask, subject_of
from pixel_core.tiny.scene import Card, Scene

INSTRUCTION = "list the cards"
UNREADABLE = "unclear"


#: A piece of text with the loss weight of its tokens.
Part = tuple[str, float]


def listing(scene: Scene, scale: float) -> list[Part]:
    """Every card in raster order: which one, left, top, digit (or unreadable)."""
    cards = sorted(scene.cards, key=lambda card: card.cell)
    return _entries(scene, cards, scale, subject_weight=1.0)


def pointing(scene: Scene, rng: random.Random, scale: float) -> list[Part]:
    """The same entries in random order: given the card, find the rest."""
    cards = rng.sample(scene.cards, len(scene.cards))
    return _entries(scene, cards, scale, subject_weight=0.0)


def point(subject: str, left: float, top: float) -> str:
    """How a turn states a card's position, before it acts on it or answers."""
    return f"{subject} {left:g} {top:g}"


def _entries(
    scene: Scene, cards: Sequence[Card], scale: float, subject_weight: float
) -> list[Part]:
    parts: list[Part] = []
    for card in cards:
        slot = scene.world.slot(card.cell)
        digit = card.digit if card.big else UNREADABLE
        parts += [
            (f" {subject_of(card.colour)}", subject_weight),
            (f" {round(slot.x1 * scale)}", 1.0),
            (f" {round(slot.y1 * scale)}", 1.0),
            (f" {digit}", 1.0),
        ]
    return parts


def reading(scene: Scene, rng: random.Random, count: int = 4) -> list[tuple[Box, str]]:
    """Cards to zoom into, and the digit that the crop shows.

    Mostly cards that need it: a large digit is as easy to read without a crop.
    """
    weights = [1 if card.big else 3 for card in scene.cards]
    cards = rng.choices(scene.cards, weights, k=count)
    return [(scene.world.slot(card.cell), f" {card.digit}") for card in cards]


def grounding(scene: Scene, rng: random.Random) -> tuple[str, Box]:
    """A card and its box."""
    card = rng.choice(scene.cards)
    return subject_of(card.colour), scene.world.slot(card.cell)


def question(scene: Scene, rng: random.Random, digits_only: bool = False) -> DrawnQuestion:
    """A question as the benchmark asks it."""
    shares = QuestionShares(digit=1, count=0, exists=0) if digits_only else QuestionShares()
    return ask(scene, rng, shares)
