"""The order in which a question's options are put.

Where the right option always stands first, a model that answers "A" is always right. The
order is drawn for each question from the seed and its id alone, so that it does not change
with how many are asked. Two kinds of options stay as published, since their words say where
they or others stand: one that speaks of those "above" keeps its place, and where one names
others by letter ("both A and B") the whole question does.
"""

from __future__ import annotations

import hashlib
import re

_ABOVE = re.compile(
    r"\b(?:all|none|any|both|neither|either) (?:of )?(?:the |these )?(?:above|below)\b"
    r"|\b(?:above|preceding|previous) (?:options?|choices|answers)\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"(?<!\w)\(?[A-H]\)?\s*(?:,|\b(?:and|or|nor)\b)\s*\(?[A-H]\)?(?!\w)")


def order_of(choices: tuple[str, ...], seed: int, id: str) -> tuple[tuple[int, ...], bool]:
    """Places in ``choices`` in the order they are put, and whether any other was possible."""
    if any(_LETTERS.search(choice) for choice in choices):
        return tuple(range(len(choices))), False
    free = [place for place, choice in enumerate(choices) if not _ABOVE.search(choice)]
    drawn = dict(zip(free, sorted(free, key=lambda place: _draw(seed, id, place)), strict=True))
    return tuple(drawn.get(place, place) for place in range(len(choices))), len(free) > 1


def _draw(seed: int, id: str, place: int) -> bytes:
    # Sorting by a digest is the same in every version of Python; its ``shuffle`` need not be.
    return hashlib.sha256(f"{seed}/{id}/{place}".encode()).digest()
