"""How the rows of the score tables look on the page: names, colours, with or without tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pixel_core.evaluation.page.tables import row_name
from pixel_core.report.html.svg import SERIES
from pixel_core.workflow.benchmark_stages import MODELS, ModelVariant


@dataclass(frozen=True)
class RowLook:
    row: str
    name: str
    #: The page's class of the row's colour; a model has one colour, with operations or without.
    style: str
    #: The same colour, to draw with.
    colour: str
    #: Drawn hollow.
    hollow: bool


def looks_of(rows: Sequence[ModelVariant]) -> list[RowLook]:
    """In the rows' order. The pipeline's models have the colours of the report."""
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
    """The pairs whose trajectories are shown: each model after the one before it, and each
    model after itself without operations."""
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
