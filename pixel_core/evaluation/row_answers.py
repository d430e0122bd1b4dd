"""One row's answers to a benchmark, read back and checked against the benchmark's questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError
from pixel_core.evaluation.row_files import ANSWERS, PROBE, QUERIES, SETTINGS
from pixel_core.records import Query, Rollout, read_jsonl
from pixel_core.statistics.metrics import by_question
from pixel_core.workflow.benchmark_stages import ModelVariant


@dataclass(frozen=True)
class RowAnswers:
    """``answers``: by question, in the benchmark's order, ``samples`` each. ``probe``: None
    where it was not asked for."""

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
    """A row's artifact. ``DataError`` when it answers other questions than ``queries``, or
    when an answer, or a probe of one with an operation, is missing, doubled or foreign."""
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
    """Answers a question, the same in all rows; ``DataError`` where they differ."""
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
