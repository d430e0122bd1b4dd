"""Questions that are each asked several times, their options turned on by one place: are all
turns there?"""

from __future__ import annotations

from collections import Counter, defaultdict

from pixel_core.evaluation.benchmarks.reading import Item


class Turns:
    """Counts of one pass over a benchmark's items; see ``Layout.turns``."""

    def __init__(self, expected: int) -> None:
        """``expected``: how often each question is asked."""
        self._expected = expected
        self._rows: Counter[str] = Counter()
        #: By question: how often the key stands in each place. One that is asked of two
        #: pictures, which only reading them would tell, is in it twice as often: still evenly.
        self._places: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, item: Item) -> None:
        """Of an item that has options."""
        self._rows[item.turn] += 1
        assert item.key is not None
        self._places[item.question][item.key] += 1

    def missing(self) -> list[str]:
        """What is not as its authors describe it, in words; [] when all is well."""
        told = []
        counts = set(self._rows.values())
        if len(self._rows) != self._expected or len(counts) > 1:
            found = ", ".join(f"{turn!r} {rows:,}" for turn, rows in self._rows.most_common(8))
            told.append(
                f"questions by turn are {found or 'none'}, published are {self._expected} "
                "turns of equally many"
            )
        uneven = [text for text, places in self._places.items() if not self._even(places)]
        if uneven:
            of = "question" if len(uneven) == 1 else "questions"
            told.append(
                f"the right option does not stand equally often in each of {self._expected} "
                f"places: {len(uneven):,} {of}, the first is {uneven[0][:80]!r}"
            )
        return told

    def _even(self, places: Counter[int]) -> bool:
        return len(places) == self._expected and len(set(places.values())) == 1
