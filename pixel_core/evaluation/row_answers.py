"""One row's answers to a benchmark, read back and checked against its questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pixel_core.errors import DataError
from pixel_core.records import Query, Rollout, read_jsonl
from pixel_core.statistics.headline import Places
from pixel_core.statistics.intervals import Floats
from pixel_core.statistics.metrics import by_question, kinds_of
from pixel_core.workflow.table import ModelVariant

# The questions behind a benchmark's rows: the unit of intervals and tests.
#
# HR-Bench puts each of its 200 questions four times, its options rotated: 800 rows. The four
# answers to one question are dependent, so they are averaged, and the question is the unit.
# Rows belong to one question when their pictures, words, kind and set of options are the same;
# no column of the files says so.
#
# Legend: r row (a ``Query``), q question.


@dataclass(frozen=True)
class AskedQuestions:
    """``turns``: for each question, the indices of its rows, in the benchmark's order.
    ``kinds``: for each kind, the indices of its questions."""

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
        # Exact sums, so that the order of the scores can't change a mean.
        return np.array([fsum(values[list(rows)]) / len(rows) for rows in self.turns])

    @property
    def of_row(self) -> Mapping[str, int]:
        """Maps a row's id to its question's index."""
        return {
            self.queries[row].id: place for place, rows in enumerate(self.turns) for row in rows
        }


def asked_questions(queries: Sequence[Query], turned: bool) -> AskedQuestions:
    """``turned``: the benchmark puts questions several times (``Benchmark.turns``). Otherwise
    similar rows stay apart: they were not published as one question."""
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


# The files of a benchmark's answers artifact.


#: The questions, in order.
QUERIES = "queries.jsonl"
#: Whole trajectories, ``samples`` a question, in order.
ANSWERS = "answers.jsonl"
#: If the probe is on: for each answer with an operation, one given before its return.
PROBE = "probe.jsonl"
#: All settings that shape the answers.
SETTINGS = "settings.json"


@dataclass(frozen=True)
class RowAnswers:
    """``answers``: by question, in the benchmark's order, ``samples`` each. ``probe``: None
    if it was not run."""

    row: ModelVariant
    answers: Mapping[str, Sequence[Rollout]]
    probe: Sequence[Rollout] | None
    settings: dict[str, Any]

    @property
    def samples(self) -> int:
        return int(self.settings["samples"])

    @property
    def rollouts(self) -> list[Rollout]:
        return [rollout for group in self.answers.values() for rollout in group]


def read_row(folder: Path, row: ModelVariant, queries: Sequence[Query]) -> RowAnswers:
    """A row's artifact. ``DataError`` if it answers other questions than ``queries``, or if an
    answer, or the probe of one with an operation, is missing, duplicated or foreign."""
    _same_questions(folder / QUERIES, row, queries)
    settings = _settings(folder / SETTINGS)
    path = folder / ANSWERS
    rollouts = list(read_jsonl(path, Rollout))
    answers = by_question(queries, rollouts, int(settings["samples"]), str(path))
    probe = list(read_jsonl(folder / PROBE, Rollout)) if settings["probe"] else None
    if probe is not None:
        _probe_fits(folder / PROBE, rollouts, probe)
    return RowAnswers(row, answers, probe, settings)


def same_samples(rows: Sequence[RowAnswers]) -> int:
    """Answers per question, the same in all rows; ``DataError`` where they differ."""
    first, *others = rows
    for other in others:
        if other.samples != first.samples:
            raise DataError(
                f"{first.row.name} gave {first.samples} answers a question and "
                f"{other.row.name} {other.samples}: answer with one setting of "
                "benchmarks.answers.samples"
            )
    return first.samples


def _same_questions(path: Path, row: ModelVariant, queries: Sequence[Query]) -> None:
    theirs = list(read_jsonl(path, Query))
    if theirs == list(queries):
        return
    asked = {query.id: query for query in queries}
    answered = {query.id: query for query in theirs}
    odd = sorted(
        name for name in asked.keys() | answered.keys() if asked.get(name) != answered.get(name)
    )
    what = f"{len(odd)} differ, first {odd[0]!r}" if odd else "in another order, or twice"
    raise DataError(
        f"{path}: {row.name} answered {len(theirs)} questions that are not the {len(queries)} "
        f"of the benchmark ({what}); answer the benchmark again"
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        usable = settings["samples"] >= 1 and isinstance(settings["probe"], bool)
    except (ValueError, KeyError, TypeError):
        usable = False
    if not usable:
        raise DataError(f"{path} is not the settings of answers; answer the benchmark again")
    return settings


def _probe_fits(path: Path, rollouts: Sequence[Rollout], probe: Sequence[Rollout]) -> None:
    looked = [(one.query_id, one.sample) for one in rollouts if one.operations]
    if [(one.query_id, one.sample) for one in probe] != looked:
        raise DataError(
            f"{path}: {len(probe)} answers before a look where {len(looked)} episodes had an "
            "operation, or others than these; answer the benchmark again"
        )
