"""Outcomes and scores as tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pixel_core.evaluation.page.tables import PageTable
from pixel_core.workflow.runner import StageOutcome
from tasks.pace import duration

SCORE_HEAD = (
    "benchmark",
    "model",
    "decoding",
    "n",
    "accuracy",
    "interval",
    "RaPR",
    "op errors",
)


def outcome_markdown(stage: str, outcome: StageOutcome) -> str:
    """One stage's page: what became of it, why, under which key, with its metrics."""
    lines = [
        f"## {stage}: {outcome.status}",
        "",
        f"Because: {outcome.reason}. {duration(outcome.seconds)}.",
        "",
        f"Key `{outcome.artifact.key}`",
        "",
    ]
    if outcome.warning:
        lines += [f"**Warning:** {outcome.warning}", ""]
    rows = [(name, _cell(value)) for name, value in flat(outcome.artifact.metrics)]
    if rows:
        lines += _table(("metric", "value"), rows)
    costs = [(name, _cell(value)) for name, value in outcome.artifact.manifest.costs.items()]
    if costs:
        lines += ["", *_table(("cost", "value"), costs)]
    return "\n".join(lines)


def scores_markdown(scores: Iterable[Mapping[str, Any]]) -> str:
    """The result table; accuracies in per cent with their interval."""
    rows = [score_cells(score) for score in scores]
    return "\n".join(["## Scores", "", *_table(SCORE_HEAD, rows)])


def tables_markdown(title: str, tables: Sequence[PageTable]) -> str:
    """A benchmark's tables, one under another."""
    lines = [f"## {title}"]
    for table in tables:
        head = [column.title for column in table.columns]
        rows = [[_cell(cell) for cell in row] for row in table.rows]
        lines += ["", f"### {table.title}", "", *_table(head, rows)]
    return "\n".join(lines)


def score_cells(score: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of ``scores.json`` as a terminal and a page show it."""
    return (
        str(score["benchmark"]),
        str(score["model"]),
        str(score["decoding"]),
        str(score["n"]),
        f"{100 * score['accuracy']:.1f} %",
        f"{100 * score['low']:.1f} to {100 * score['high']:.1f}",
        f"{score['rapr']:.2f}",
        f"{score['op_error_rate']:.3f}",
    )


def flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """``("by.kind", value)`` pairs of a stage's metrics; curves belong to the report."""
    for name, value in values.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from flat(value, place)
        elif not isinstance(value, list):
            yield place, value


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
