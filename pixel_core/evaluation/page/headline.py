"""The first table of the page: every row on every benchmark; and what others published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.evaluation.page.benchmark_rows import RowLook
from pixel_core.evaluation.page.published_results import PUBLISHED
from pixel_core.evaluation.page.tables import NOTHING
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.report.html.wording import percent, span


@dataclass(frozen=True)
class ScoreCell:
    score: str
    interval: str = ""
    #: Shares of a whole, to draw the interval with.
    low: float = 0.0
    value: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class HeadlineRow:
    look: RowLook
    cells: list[ScoreCell]


def headline(results: Sequence[BenchmarkResult], looks: Sequence[RowLook]) -> list[HeadlineRow]:
    rows = []
    for look in looks:
        cells = []
        for result in results:
            score = next((row.score for row in result.rows if row.row == look.row), None)
            cells.append(
                ScoreCell(NOTHING)
                if score is None
                else ScoreCell(
                    percent(score.value),
                    span(score.low, score.high),
                    score.low,
                    score.value,
                    score.high,
                )
            )
        rows.append(HeadlineRow(look, cells))
    return rows


def published_rows(results: Sequence[BenchmarkResult]) -> list[tuple[str, list[str]]]:
    """The published scores of the benchmarks shown; () where none of them was published."""
    names = [result.benchmark for result in results]
    if not any(name in model.scores for model in PUBLISHED for name in names):
        return []
    rows = [
        (model.model, [_percents(model.scores.get(name)) for name in names])
        for model in PUBLISHED
    ]
    rows += [
        (f"{model.model}: RaPR", [_percents(model.rapr.get(name)) for name in names])
        for model in PUBLISHED
        if model.rapr
    ]
    return rows


def _percents(value: float | None) -> str:
    return NOTHING if value is None else percent(value / 100)
