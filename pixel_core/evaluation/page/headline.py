"""The page's first table: every row on every benchmark; and published results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pixel_core.evaluation.page.tables import NOTHING, row_name
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.report.html.svg import SERIES
from pixel_core.report.html.wording import percent, span
from pixel_core.workflow.table import MODELS, ModelVariant

# Results that others published for the benchmarks, for comparison. None is ours.


#: Source of all numbers in this file: the result table, the ablations, and the rates of
#: pixel-space reasoning on the test sets.
SOURCE = "Pixel Reasoner, arXiv 2505.15966 v3"
LINK = "https://arxiv.org/abs/2505.15966"

_BENCHMARKS = ("vstar", "tallyqa_complex", "mvbench", "infographicsvqa")


@dataclass(frozen=True)
class Published:
    """One model's published scores: accuracy in per cent, for InfographicsVQA ANLS."""

    model: str
    scores: Mapping[str, float]
    #: Per cent of answers with an operation, where published.
    rapr: Mapping[str, float] = field(default_factory=dict)


def _scores(*values: float) -> dict[str, float]:
    return dict(zip(_BENCHMARKS, values, strict=True))


PUBLISHED = (
    Published("Qwen2.5-VL-7B", _scores(70.4, 68.6, 63.8, 80.7)),
    Published(
        "Pixel-Reasoner-7B",
        _scores(84.3, 73.8, 67.8, 84.0),
        _scores(78.5, 57.8, 67.0, 59.0),
    ),
    Published("warm start only", _scores(79.0, 67.9, 59.0, 74.3)),
    Published("RL without curiosity", _scores(81.1, 71.8, 66.4, 80.7)),
    Published("RL without warm start", _scores(81.7, 72.2, 65.6, 81.2)),
    Published("RL without correction data", _scores(80.1, 69.8, 63.6, 78.2)),
)


# How rows of the score tables look on the page: names, colours, with or without tools.


@dataclass(frozen=True)
class RowLook:
    row: str
    name: str
    #: CSS class of the row's colour; a model has one colour, with operations or without.
    style: str
    #: The same colour, for drawing.
    colour: str
    #: Whether its dots are hollow.
    hollow: bool


def looks_of(rows: Sequence[ModelVariant]) -> list[RowLook]:
    """In the rows' order. The pipeline's models have the report's colours."""
    others = list(dict.fromkeys(row.endpoint for row in rows if row.endpoint))
    looks = []
    for row in rows:
        if row.endpoint:
            place = len(MODELS) + others.index(row.endpoint) % (len(SERIES) - len(MODELS))
            style = f"series-{place + 1}"
        else:
            place, style = list(MODELS).index(row.model), row.model
        look = RowLook(row.name, row_name(row.name), style, SERIES[place], not row.operations)
        looks.append(look)
    return looks


def compared_rows(rows: Sequence[ModelVariant]) -> list[tuple[str, str]]:
    """The pairs whose trajectories are shown: each model against the one before it, and against
    itself without operations."""
    offered = [row for row in rows if row.operations]
    pairs = [(a.name, b.name) for a, b in pairwise(offered)]
    for row in offered:
        without = next(
            (
                other
                for other in rows
                if not other.operations
                and (other.model, other.endpoint) == (row.model, row.endpoint)
            ),
            None,
        )
        if without is not None:
            pairs.append((without.name, row.name))
    return pairs


@dataclass(frozen=True)
class ScoreCell:
    score: str
    interval: str = ""
    #: The interval's ends as shares of a whole, for drawing.
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
    """Published scores for the benchmarks shown; () if none of them has any."""
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
