"""Which curves of a training stage are shown together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from pixel_core.config import RewardConfig
from pixel_core.report.health import HealthEvent
from pixel_core.report.html.charts import Chart, ChartLine, line_chart
from pixel_core.report.material import CurveRow
from pixel_core.report.plans import SFT, Plan, label, rl_plans


@dataclass(frozen=True)
class CurvePanel:
    title: str
    note: str
    chart: Chart


#: Columns of the pretraining curve that are not accuracies.
_NOT_ACCURACY = frozenset(
    {"step", "phase", "loss", "tokens", "grad_norm", "learning_rate", "seconds"}
)


def training_panels(
    stage: str,
    rows: Sequence[CurveRow],
    *,
    reward: RewardConfig | None = None,
    events: Sequence[HealthEvent] = (),
) -> list[CurvePanel]:
    """The panels of ``base_model``, ``sft`` or ``rl``; none for an empty curve.

    ``reward`` (None: the default) and ``events`` are RL's.
    """
    if not rows:
        return []
    steps = _steps(rows)
    breaks = _phase_starts(rows, steps)
    panels: list[CurvePanel] = []
    for plan in _plans(stage, rows, reward or RewardConfig()):
        colours = _colours(plan.keys)
        lines = [
            _line(rows, steps, key, colours[key]) for key in plan.keys if _known(rows, key)
        ]
        if lines:
            chart = line_chart(
                f"{stage}-{len(panels)}",
                lines,
                share=plan.share,
                points=plan.points,
                breaks=breaks,
                warnings=[event.step for event in events if event.guard in plan.guards],
            )
            panels.append(CurvePanel(plan.title, plan.note, chart))
    return panels


def _plans(stage: str, rows: Sequence[CurveRow], reward: RewardConfig) -> tuple[Plan, ...]:
    if stage == "rl":
        return rl_plans(reward)
    if stage == "sft":
        return SFT
    losses = tuple(k for k in _columns(rows) if k == "loss" or k.endswith("_loss"))
    measured = tuple(
        k
        for k in _columns(rows)
        if k not in _NOT_ACCURACY and k not in losses and _is_share(rows, k)
    )
    return Plan("Loss", losses), Plan("Accuracy", measured, share=True)


def _columns(rows: Sequence[CurveRow]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _known(rows: Sequence[CurveRow], key: str) -> list[float]:
    return [row[key] for row in rows if _is_number(row.get(key))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(rows: Sequence[CurveRow], key: str) -> bool:
    values = _known(rows, key)
    return bool(values) and all(0 <= value <= 1 for value in values)


def _line(rows: Sequence[CurveRow], steps: Sequence[float], key: str, colour: int) -> ChartLine:
    """One column as a line; a column that few rows have is drawn through those rows alone."""
    known = [
        (x, row[key]) for x, row in zip(steps, rows, strict=True) if _is_number(row.get(key))
    ]
    if len(known) < len(rows) / 2:
        return ChartLine(
            label(key), [x for x, _ in known], [y for _, y in known], sparse=True, colour=colour
        )
    values = [row[key] if _is_number(row.get(key)) else nan for row in rows]
    return ChartLine(label(key), steps, values, colour=colour)


def _colours(keys: Sequence[str]) -> dict[str, int]:
    """A validation curve has the colour of its training curve."""
    families = list(dict.fromkeys(key.removeprefix("validation_") for key in keys))
    return {key: families.index(key.removeprefix("validation_")) for key in keys}


def _steps(rows: Sequence[CurveRow]) -> list[float]:
    """The rows' steps; if phases restart the count, counts on through all."""
    steps: list[float] = []
    offset, last = 0.0, -1.0
    for place, row in enumerate(rows):
        step = float(row.get("step", place))
        if step <= last:
            offset = steps[-1] + 1 - step
        last = step
        steps.append(step + offset)
    return steps


def _phase_starts(rows: Sequence[CurveRow], steps: Sequence[float]) -> list[float]:
    return [
        steps[n]
        for n in range(1, len(rows))
        if rows[n].get("phase") != rows[n - 1].get("phase")
    ]
