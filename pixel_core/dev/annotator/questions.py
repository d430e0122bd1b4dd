"""Parses the drawn world's questions, whatever the wording of the prompt around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pixel_core.dev.annotator.cards import SeenCard
from pixel_core.tiny.scene import NAMES

_COLOUR = "|".join(NAMES)
_DIGIT = re.compile(rf"which digit is on the ({_COLOUR}) card", re.IGNORECASE)
_EXISTS = re.compile(rf"can you see the ({_COLOUR}) card", re.IGNORECASE)
_COUNT = re.compile(r"how many cards are there", re.IGNORECASE)


class Kind(StrEnum):
    """What a question of the drawn world asks for."""

    DIGIT = "digit"
    EXISTS = "exists"
    COUNT = "count"


@dataclass(frozen=True)
class UnderstoodQuestion:
    """A parsed question; ``colour`` is "" if it asks about all cards."""

    kind: Kind
    colour: str = ""

    def answer(self, cards: list[SeenCard]) -> str | None:
        """The answer according to these cards; None if they don't determine it."""
        if self.kind is Kind.COUNT:
            return str(len(cards))
        card = self.card(cards)
        if self.kind is Kind.EXISTS:
            return "yes" if card else "no"
        return card.digit if card else None

    def card(self, cards: list[SeenCard]) -> SeenCard | None:
        """The card it asks about, if it is there."""
        return next((card for card in cards if card.colour == self.colour), None)


def understand(text: str) -> UnderstoodQuestion | None:
    """The question in a prompt's text; None if it is not one of the drawn world."""
    for kind, pattern in ((Kind.DIGIT, _DIGIT), (Kind.EXISTS, _EXISTS)):
        if found := pattern.search(text):
            return UnderstoodQuestion(kind, found[1].lower())
    return UnderstoodQuestion(Kind.COUNT) if _COUNT.search(text) else None
