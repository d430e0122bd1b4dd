"""The two charts of the report: lines over steps, and bars with intervals by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from pixel_core.report.html.svg import BAD, INK, MUTED, SERIES, canvas, css_colour, inline

#: Curves with fewer points are not smoothed.
SMOOTH_FROM = 30

#: Bars are coloured by model, in the order of ``SERIES``; curves begin with the policy's.
_LINE_COLOURS = (SERIES[2], SERIES[1], SERIES[3], SERIES[4], SERIES[5], SERIES[6], SERIES[0])


@dataclass(frozen=True)
class ChartLine:
    """One curve; ``sparse`` ones (with few points) are drawn as marks on a line."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    sparse: bool = False
    #: Lines with the same number have the same colour.
    colour: int = 0


@dataclass(frozen=True)
class Bar:
    """One value in [0, 1] with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Chart:
    svg: Markup
    #: (label, CSS colour), in drawing order.
    legend: list[tuple[str, str]]


def line_chart(
    name: str,
    lines: Sequence[ChartLine],
    *,
    share: bool = False,
    points: bool = False,
    breaks: Sequence[float] = (),
    warnings: Sequence[float] = (),
) -> Chart:
    """Curves over steps: every step thin, a running mean over it thick.

    ``share``: values in [0, 1], shown in percent from 0 on; ``points``: differences of such
    values, shown in signed points with a line at 0; ``breaks``: steps to mark with a dotted
    line; ``warnings``: steps to mark with a line in the colour of bad news. A sparse line
    with another line's colour has no legend entry.
    """
    with canvas(340, 190) as (figure, axes):
        legend: list[tuple[str, str]] = []
        for line in lines:
            colour = _LINE_COLOURS[line.colour % len(_LINE_COLOURS)]
            if not (line.sparse and css_colour(colour) in dict(legend).values()):
                legend.append((line.label, css_colour(colour)))
            _draw_line(axes, line, colour)
        for place in breaks:
            axes.axvline(place, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        for place in warnings:
            axes.axvline(place, color=BAD, linewidth=0.9)
        if warnings:
            axes.plot(
                warnings,
                [1.0] * len(warnings),
                "v",
                color=BAD,
                markersize=5,
                clip_on=False,
                transform=axes.get_xaxis_transform(),
            )
            legend.append(("health warning", css_colour(BAD)))
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.margins(x=0.01)
        if share:
            axes.set_ylim(*_share_limits(lines))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.3g}%"))
        elif points:
            points_axis(axes)
        else:
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        return Chart(inline(figure, name, _in_words(lines, warnings)), legend)


def points_axis(axes: Axes) -> None:
    """For differences of shares: signed points, with a line at 0."""
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:+.3g}" if abs(value) > 1e-9 else "0")
    )


def bar_chart(
    name: str,
    groups: Sequence[str],
    series: Sequence[tuple[str, Sequence[Bar]]],
    colours: Sequence[str] = SERIES,
) -> Chart:
    """Grouped bars; ``series`` is (label, one bar a group), ``colours`` are of ``svg``."""
    with canvas(max(380, 110 * len(groups)), 240) as (figure, axes):
        places = np.arange(len(groups))
        width = 0.8 / len(series)
        legend = []
        for number, (label, bars) in enumerate(series):
            colour = colours[number % len(colours)]
            legend.append((label, css_colour(colour)))
            values = np.array([bar.value for bar in bars])
            below = values - [bar.low for bar in bars]
            above = np.array([bar.high for bar in bars]) - values
            axes.bar(
                places + (number - (len(series) - 1) / 2) * width,
                values,
                width * 0.92,
                color=colour,
                # Rounding may put an estimate a hair outside its interval.
                yerr=np.maximum([below, above], 0),
                error_kw={"ecolor": INK, "elinewidth": 1.1, "capsize": 2.5},
            )
        axes.set_xticks(places, groups)
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        words = "; ".join(
            f"{group}: "
            + ", ".join(f"{label} {100 * bars[n].value:.0f} %" for label, bars in series)
            for n, group in enumerate(groups)
        )
        return Chart(inline(figure, name, words), legend)


def running_mean(values: Sequence[float], window: int) -> np.ndarray:
    """Centred mean over ``window`` points (fewer at the ends); gaps (NaN) are skipped."""
    array = np.asarray(values, dtype=float)
    known = np.isfinite(array)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, array, 0.0), kernel, "same")
    count = np.convolve(known.astype(float), kernel, "same")
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _draw_line(axes: Axes, line: ChartLine, colour: str) -> None:
    if line.sparse:
        axes.plot(line.x, line.y, "o--", color=colour, markersize=3.5, linewidth=1.2)
    elif len(line.y) < SMOOTH_FROM:
        axes.plot(line.x, line.y, color=colour, linewidth=1.8)
    else:
        window = max(3, len(line.y) // 25) | 1
        axes.plot(line.x, line.y, color=colour, linewidth=0.6, alpha=0.35)
        axes.plot(line.x, running_mean(line.y, window), color=colour, linewidth=1.9)


def _share_limits(lines: Sequence[ChartLine]) -> tuple[float, float]:
    """0 to 100 %, unless the values need less than half of that."""
    top = max((y for line in lines for y in line.y if isfinite(y)), default=1.0)
    top = 1.02 if top > 0.5 else max(0.05, 1.15 * top)
    return -0.02 * top, top


def _in_words(lines: Sequence[ChartLine], warnings: Sequence[float]) -> str:
    parts = []
    for line in lines:
        known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if isfinite(y)]
        if known:
            (first, start), (last, end) = known[0], known[-1]
            parts.append(
                f"{line.label}: {start:.3g} at step {first:g}, {end:.3g} at step {last:g}"
            )
    if warnings:
        parts.append("health warnings at " + ", ".join(f"step {x:g}" for x in warnings))
    return "; ".join(parts)
