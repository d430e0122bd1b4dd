"""Which digit a drawn question asks for."""

from __future__ import annotations

import random
from collections import Counter


class Digits:
    """Right answers for a split's digit questions, each kind in shuffled tens."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._asked: Counter[str] = Counter()

    def next(self, kind: str) -> str:
        tens, place = divmod(self._asked[kind], 10)
        self._asked[kind] += 1
        digits = list("0123456789")
        random.Random(f"{self._stream}/{kind}/{tens}").shuffle(digits)
        return digits[place]
