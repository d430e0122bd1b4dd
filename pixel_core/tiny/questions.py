"""Questions about a scene, with their answers and where the evidence is."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from pixel_core.config import QuestionShares
from pixel_core.records import Box
from pixel_core.tiny.scene import NAMES, Card, Scene


@dataclass(frozen=True, slots=True)
class DrawnQuestion:
    """``kind`` is digit_small, digit_big, count or exists; ``cue`` is in picture pixels."""

    question: str
    answer: str
    kind: str
    subject: str = ""
    cue: Box | None = None
    legible: bool = True


def subject_of(colour: str) -> str:
    return f"the {colour} card"


def ask(scene: Scene, rng: random.Random, shares: QuestionShares) -> DrawnQuestion:
    """A question drawn by the weights; half of the ``exists`` questions are answered no."""
    kind = rng.choices(
        ("digit", "count", "exists"), (shares.digit, shares.count, shares.exists)
    )[0]
    if kind == "count":
        return DrawnQuestion("how many cards are there?", str(len(scene.cards)), "count")
    if kind == "exists" and rng.random() < 0.5:
        absent = [name for name in NAMES if all(card.colour != name for card in scene.cards)]
        if absent:
            colour = rng.choice(absent)
            return DrawnQuestion(f"can you see {subject_of(colour)}?", "no", "exists")
    card = rng.choice(scene.cards)
    if kind == "exists":
        return _about(
            scene, card, f"can you see {subject_of(card.colour)}?", "yes", "exists", True
        )
    return _about(
        scene,
        card,
        f"which digit is on {subject_of(card.colour)}?",
        card.digit,
        "digit_big" if card.big else "digit_small",
        card.big,
    )


def with_digit(
    scene: Scene, question: DrawnQuestion, digit: str
) -> tuple[Scene, DrawnQuestion]:
    """The same scene and question with ``digit`` as the answer.

    All digits of the scene shift equally, so that they stay evenly spread.
    """
    shift = int(digit) - int(question.answer)
    cards = tuple(
        replace(card, digit=str((int(card.digit) + shift) % 10)) for card in scene.cards
    )
    return replace(scene, cards=cards), replace(question, answer=digit)


def _about(
    scene: Scene, card: Card, question: str, answer: str, kind: str, legible: bool
) -> DrawnQuestion:
    return DrawnQuestion(
        question, answer, kind, subject_of(card.colour), scene.world.slot(card.cell), legible
    )
