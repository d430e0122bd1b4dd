"""Reads back the cells' results: each run's answers, its warm start's, and its curve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixel_core.errors import DataError
from pixel_core.evaluation.study.diagnosis import Diagnosis, Evidence, diagnose, evidence
from pixel_core.evaluation.study.matrix import CellSeeds
from pixel_core.records import Rollout
from pixel_core.statistics.answer_sets import AnswerSet, read_answers, same_questions
from pixel_core.statistics.intervals import Interval
from pixel_core.statistics.metrics import (
    IntervalSettings,
    accuracy_interval,
    by_kind,
    question_means,
    summarize,
)

Floats = NDArray[np.float64]
Row = dict[str, float]


@dataclass(frozen=True)
class ModelAnswers:
    """One model on the held-out questions; per-question accuracies are (q,), in one order."""

    sampled_q: Floats
    greedy_q: Floats
    kinds_q: tuple[str, ...]
    sampled: Interval
    greedy: Interval
    #: Of the sampled answers.
    rapr: float
    op_error_rate: float
    #: Accuracy of sampled rollouts that executed an operation, and of those that did not;
    #: None if there are none.
    with_operation: float | None
    without_operation: float | None
    by: dict[str, dict[str, float]]
    #: Of the sampled answers.
    diagnosis: Diagnosis

    def among(self, kinds: Sequence[str]) -> NDArray[np.bool_]:
        """Which questions are of these kinds, (q,)."""
        return np.isin(self.kinds_q, list(kinds))


@dataclass(frozen=True)
class RunMachine:
    """The hardware a run was computed on: its CPU and the instruction set in use."""

    machine: str = ""
    instruction_set: str = ""
    #: Variables that restrict the libraries below torch; "": none.
    instruction_limits: str = ""

    def __str__(self) -> str:
        parts = (self.machine, self.instruction_set, self.instruction_limits)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class RunResult:
    """One cell: its start, its end, and the curve between."""

    arm: str
    seeds: CellSeeds
    start: ModelAnswers
    end: ModelAnswers
    #: Key of the rl artifact. Cells share one when their seeds make no difference: without
    #: a warm start, for example, all warm-start seeds with the same base model.
    key: str
    #: ``curve.jsonl`` of the rl stage, a row a step.
    curve: list[Row]
    #: Whether SFT ended by its rule; None if it had none.
    selected: bool | None = None
    place: RunMachine = RunMachine()

    def __str__(self) -> str:
        return f"{self.arm}, {self.seeds}"


def read_runs(
    rows: Sequence[Mapping[str, Any]], inputs: Mapping[str, Path], sampling: IntervalSettings
) -> list[RunResult]:
    """``rows`` map each cell to its inputs ``rl``, ``answers`` and ``start``; the input
    ``ingest`` has the questions.

    Raises ``DataError`` when cells answered different questions.
    """
    sets: dict[Path, AnswerSet] = {}
    answered: dict[Path, ModelAnswers] = {}
    places = evidence(inputs["ingest"])
    for row in rows:
        for part in ("start", "answers"):
            folder = inputs[row[part]]
            if folder not in sets:
                sets[folder] = read_answers(folder)
                answered[folder] = _answered(sets[folder], sampling, places)
    same_questions({str(folder): found for folder, found in sets.items()})
    return [
        RunResult(
            arm=row["arm"],
            seeds=CellSeeds(*row["seeds"]),
            start=answered[inputs[row["start"]]],
            end=answered[inputs[row["answers"]]],
            key=row["rl_key"],
            curve=_curve(inputs[row["rl"]] / "curve.jsonl"),
            selected=row["warm_start_metrics"].get("selected"),
            place=RunMachine(**row["place"]),
        )
        for row in rows
    ]


def _answered(
    found: AnswerSet, sampling: IntervalSettings, places: Mapping[str, Evidence]
) -> ModelAnswers:
    sampled, greedy = found.answers["sampled"], found.answers["greedy"]
    rollouts = [rollout for group in sampled.values() for rollout in group]
    summary = summarize(rollouts)
    return ModelAnswers(
        sampled_q=question_means(sampled),
        greedy_q=question_means(greedy),
        kinds_q=tuple(query.kind or "other" for query in found.queries),
        sampled=accuracy_interval(sampled, sampling),
        greedy=accuracy_interval(greedy, sampling),
        rapr=summary.rapr,
        op_error_rate=summary.op_error_rate,
        with_operation=_accuracy([r for r in rollouts if r.operations > 0]),
        without_operation=_accuracy([r for r in rollouts if r.operations == 0]),
        by=by_kind(found.queries, sampled, sampling),
        diagnosis=diagnose(rollouts, places),
    )


def _accuracy(rollouts: Sequence[Rollout]) -> float | None:
    return sum(r.correct for r in rollouts) / len(rollouts) if rollouts else None


def _curve(path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from error
    return rows
