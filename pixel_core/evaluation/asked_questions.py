"""The questions behind a benchmark's rows: they are what intervals and tests count.

HR-Bench puts each of its 200 questions four times, with its options turned: 800 rows. Four
answers to one question go together, so they are averaged, and the question is the unit. Rows
are one question's when their pictures, words, kind and set of options are the same; no column
of the files says so.

Legend: r row (a ``Query``), q question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import ArrayLike

from pixel_core.records import Query
from pixel_core.statistics.headline import Places
from pixel_core.statistics.intervals import Floats
from pixel_core.statistics.metrics import kinds_of


@dataclass(frozen=True)
class AskedQuestions:
    """``turns``: of each question, the places of its rows, in the benchmark's order. ``kinds``:
    the places, among the questions, of each kind's."""

    queries: Sequence[Query]
    turns: tuple[tuple[int, ...], ...]
    kinds: Mapping[str, Places]

    @property
    def turned(self) -> bool:
        """Whether any question was put more than once."""
        return len(self.turns) < len(self.queries)

    def means(self, values_r: ArrayLike) -> Floats:
        """Each question's mean over its rows, (q,)."""
        values = np.asarray(values_r, np.float64)
        # Exact sums: the same scores in another order of the options are no difference.
        return np.array([fsum(values[list(rows)]) / len(rows) for rows in self.turns])

    @property
    def of_row(self) -> Mapping[str, int]:
        """By a row's id, its question's place."""
        return {
            self.queries[row].id: place for place, rows in enumerate(self.turns) for row in rows
        }


def asked_questions(queries: Sequence[Query], turned: bool) -> AskedQuestions:
    """``turned``: the benchmark puts questions several times (``Benchmark.turns``). Elsewhere
    rows that look alike stay apart: nobody published them as one."""
    found: dict[object, list[int]] = {}
    for place, query in enumerate(queries):
        key = (
            (query.pictures, query.question, query.kind, tuple(sorted(query.choices)))
            if turned and query.choices
            else place
        )
        found.setdefault(key, []).append(place)
    turns = tuple(tuple(rows) for rows in found.values())
    firsts = [queries[rows[0]] for rows in turns]
    places = {query.id: place for place, query in enumerate(firsts)}
    kinds = {
        kind: np.array([places[name] for name in names])
        for kind, names in kinds_of(firsts).items()
    }
    return AskedQuestions(queries, turns, kinds)
