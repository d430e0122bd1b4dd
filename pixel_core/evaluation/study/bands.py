"""Curves of several arms on one chart: the mean over an arm's runs, in a band from the lowest
to the highest run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pixel_core.evaluation.study.results import Floats, Row, RunResult
from pixel_core.report.html.charts import Chart, points_axis, running_mean
from pixel_core.report.html.svg import SERIES, canvas, css_colour, inline

#: In the order of the profile's arms; the first is the method itself.
ARM_COLOURS = tuple(SERIES[n] for n in (2, 5, 1, 0, 4, 3, 6))

#: Unit of a chart's values: shares in [0, 1], differences of shares, or plain numbers from 0.
Scale = Literal["share", "points", "number"]

#: Below this share of the rollouts around a step, single ones dominate their accuracy.
FEW = 0.02


@dataclass(frozen=True)
class Band:
    """One arm: its runs' curves over steps, (r, step); NaN for missing values."""

    label: str
    #: Bands with the same number have the same colour on all charts.
    colour: int
    values: Floats
    #: Drawn dashed: the second of two measures of an arm.
    dashed: bool = False


def band_of(
    label: str, colour: int, runs: Sequence[RunResult], key: str, *, dashed: bool = False
) -> Band | None:
    """The column ``key`` of the runs' curves, smoothed; None when no run has a value.

    A run that ended early has no values after its end. A column about a subset of rollouts
    (``shares_of``) is pooled over them, and has no value where they are too few.
    """
    length = max((len(run.curve) for run in runs), default=0)
    values = np.full((len(runs), length), np.nan)
    for place, run in enumerate(runs):
        if run.curve:
            values[place, : len(run.curve)] = _smooth(run.curve, key)
    if not np.isfinite(values).any():
        return None
    return Band(label, colour, values, dashed)


def band_chart(name: str, bands: Sequence[Band], scale: Scale = "share") -> Chart:
    """Values over training steps: shares in percent, differences in points."""
    with canvas(430, 230) as (figure, axes):
        legend: dict[str, str] = {}
        words = []
        for band in bands:
            colour = ARM_COLOURS[band.colour % len(ARM_COLOURS)]
            legend.setdefault(band.label, css_colour(colour))
            low, mean, high = _low_mean_high(band.values)
            steps = np.arange(1, band.values.shape[1] + 1)
            if len(band.values) > 1:
                axes.fill_between(steps, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(
                steps, mean, color=colour, linewidth=1.9, linestyle="--" if band.dashed else "-"
            )
            known = np.flatnonzero(np.isfinite(mean))
            first, last = mean[known[0]], mean[known[-1]]
            words.append(f"{band.label}: {_said(first, scale)} to {_said(last, scale)}")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.margins(x=0.01)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        if scale == "share":
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.3g}%"))
        elif scale == "points":
            points_axis(axes)
        else:
            axes.set_ylim(bottom=0)
        return Chart(inline(figure, name, "; ".join(words)), list(legend.items()))


def shares_of(curve: Sequence[Row], key: str) -> Floats:
    """The number of rollouts or calls behind the column at each step, per rollout; (step,)."""
    rapr, cue_rapr, hits = (
        np.array([row.get(name, 0.0) for row in curve])
        for name in ("rapr", "cue_rapr", "operation_hits")
    )
    return {
        "accuracy_with_operation": rapr,
        "accuracy_without_operation": 1.0 - rapr,
        "operation_hits": cue_rapr,
        "crop_read": cue_rapr * hits,
        "cue_accuracy_with_operation": cue_rapr,
        "cue_accuracy_without_operation": 1.0 - cue_rapr,
        "op_error_rate": np.array([row.get("operations", 0.0) for row in curve]),
    }.get(key, np.ones(len(curve)))


def _smooth(curve: Sequence[Row], key: str) -> Floats:
    if key == "operation_pays":
        # Pool each side: averaging the steps' differences would weigh a step with a single such
        # rollout like any other.
        sides = (f"cue_accuracy_{side}_operation" for side in ("with", "without"))
        with_one, without = (_smooth(curve, side) for side in sides)
        return with_one - without
    values = np.array([row.get(key, np.nan) for row in curve], dtype=float)
    shares = np.where(np.isfinite(values), shares_of(curve, key), 0.0)
    window = max(1, len(values) // 25) | 1
    mean_share = running_mean(shares.tolist(), window)
    pooled = running_mean((np.nan_to_num(values) * shares).tolist(), window)
    known = mean_share >= FEW
    return np.where(known, pooled / np.where(known, mean_share, 1.0), np.nan)


def _said(value: float, scale: Scale) -> str:
    if scale == "number":
        return f"{value:.3g}"
    return f"{100 * value:+.0f} points" if scale == "points" else f"{100 * value:.0f} %"


def _low_mean_high(values: Floats) -> tuple[Floats, Floats, Floats]:
    with warnings.catch_warnings():
        # A step without a value in any run stays a gap.
        warnings.filterwarnings("ignore", "All-NaN|Mean of empty", RuntimeWarning)
        return (
            np.nanmin(values, axis=0),
            np.nanmean(values, axis=0),
            np.nanmax(values, axis=0),
        )
