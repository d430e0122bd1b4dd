"""Scores with their intervals, one dot each; readable for two kinds and for twenty."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter

from pixel_core.evaluation.page.headline import RowLook
from pixel_core.evaluation.page.tables import kinds_of
from pixel_core.evaluation.results import BenchmarkResult, Estimate
from pixel_core.report.html.svg import GRID, canvas, inline
from pixel_core.report.html.wording import percent, plain, span

_WIDTH = 340
#: Heights in points: a dot, the gap between groups, the axis.
_DOT, _GAP, _AXIS = 11.0, 9.0, 34.0


def score_chart(result: BenchmarkResult, looks: Sequence[RowLook]) -> Markup:
    """The headline score of every row, then those by kind of question."""
    groups = [("all questions", {row.row: row.score for row in result.rows})]
    kinds = kinds_of(result)
    # A single kind would repeat the overall score.
    for kind in kinds if len(kinds) > 1 else ():
        scores = {row.row: row.by[kind].score for row in result.rows if kind in row.by}
        groups.append((plain(kind), scores))
    return _draw(f"scores-{result.benchmark}", groups, looks)


def _draw(
    name: str, groups: Sequence[tuple[str, dict[str, Estimate]]], looks: Sequence[RowLook]
) -> Markup:
    step = _DOT * len(looks) + _GAP
    with canvas(_WIDTH, _AXIS + step * len(groups)) as (figure, axes):
        for place, (_, scores) in enumerate(groups):
            if place:
                axes.axhline(place * step, color=GRID, linewidth=0.7)
            for number, look in enumerate(looks):
                if look.row not in scores:
                    continue
                score = scores[look.row]
                y = place * step + _GAP / 2 + (number + 0.5) * _DOT
                axes.plot(
                    [score.low, score.high],
                    [y, y],
                    color=look.colour,
                    linewidth=1.6,
                    clip_on=False,
                )
                axes.plot(
                    [score.value],
                    [y],
                    "o",
                    markersize=6,
                    markeredgewidth=1.6,
                    markeredgecolor=look.colour,
                    markerfacecolor="none" if look.hollow else look.colour,
                    clip_on=False,  # a score of 0 or 1 stands on the edge
                )
        axes.set_ylim(step * len(groups), 0)
        axes.set_yticks([(place + 0.5) * step for place in range(len(groups))])
        axes.set_yticklabels([label for label, _ in groups])
        axes.set_xlim(-0.02, 1.02)
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f}%"))
        return inline(figure, name, _in_words(groups, looks))


def _in_words(
    groups: Sequence[tuple[str, dict[str, Estimate]]], looks: Sequence[RowLook]
) -> str:
    return "; ".join(
        f"{label}: "
        + ", ".join(
            f"{look.name} {percent(score.value)} ({span(score.low, score.high)})"
            for look in looks
            if (score := scores.get(look.row)) is not None
        )
        for label, scores in groups
    )
