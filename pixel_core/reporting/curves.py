"""Which curves of which training stage are shown together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from pixel_core.pages.charts import Chart, Line, line_chart
from pixel_core.pages.wording import plain
from pixel_core.reporting.material import CurveRow


@dataclass(frozen=True)
class Panel:
    title: str
    note: str
    chart: Chart


@dataclass(frozen=True)
class _Plan:
    """A panel if the curve has at least one of ``keys``."""

    title: str
    keys: tuple[str, ...]
    note: str = ""
    share: bool = False


_LOSS = _Plan("Loss", ("loss",))
_RL = (
    _Plan(
        "Accuracy and RaPR",
        ("accuracy", "rapr", "validation_accuracy", "validation_rapr"),
        "RaPR: the share of answers that used at least one operation. Dashed: greedy answers "
        "to validation questions, where they were asked.",
        share=True,
    ),
    _Plan(
        "Operation error rate",
        ("op_error_rate",),
        "Share of the attempted calls that were refused or failed.",
        share=True,
    ),
    _Plan(
        "Curiosity and penalty in the reward",
        ("reward_curiosity", "reward_penalty"),
        "Mean over answers. Curiosity is paid only while operations are rare; "
        "the penalty is for calls beyond the free ones.",
    ),
    _Plan(
        "Truncated answers, uniform groups",
        ("truncated", "uniform_groups"),
        "A group whose answers all earn the same teaches nothing.",
        share=True,
    ),
    _Plan("Policy loss", ("loss",)),
    _Plan("Gradient norm", ("grad_norm",)),
    _Plan(
        "Drift of the sampler",
        ("kl_sampler",),
        "How far the trained policy is from the one that sampled.",
    ),
)
_LABELS = {
    "rapr": "RaPR",
    "validation_rapr": "RaPR, validation",
    "validation_accuracy": "accuracy, validation",
    "op_error_rate": "failed calls of those attempted",
    "reward_curiosity": "curiosity",
    "reward_penalty": "penalty",
    "truncated": "truncated answers",
    "grad_norm": "gradient norm",
    "kl_sampler": "KL divergence",
}
#: Columns of the pretraining curve that are no accuracies.
_NOT_ACCURACY = frozenset(
    {"step", "phase", "loss", "tokens", "grad_norm", "learning_rate", "seconds"}
)


def training_panels(stage: str, rows: Sequence[CurveRow]) -> list[Panel]:
    """The panels of ``base_model``, ``sft`` or ``rl``; none for an empty curve."""
    if not rows:
        return []
    if stage == "rl":
        plans: tuple[_Plan, ...] = _RL
    else:
        measured = tuple(k for k in _columns(rows) if k not in _NOT_ACCURACY)
        plans = (
            _LOSS,
            _Plan("Accuracy", tuple(k for k in measured if _is_share(rows, k)), share=True),
        )
    steps = _steps(rows)
    breaks = _phase_starts(rows, steps)
    panels: list[Panel] = []
    for plan in plans:
        colours = _colours(plan.keys)
        lines = [
            _line(rows, steps, key, colours[key]) for key in plan.keys if _known(rows, key)
        ]
        if lines:
            name = f"{stage}-{len(panels)}"
            chart = line_chart(name, lines, share=plan.share, breaks=breaks)
            panels.append(Panel(plan.title, plan.note, chart))
    return panels


def _columns(rows: Sequence[CurveRow]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _known(rows: Sequence[CurveRow], key: str) -> list[float]:
    return [row[key] for row in rows if _is_number(row.get(key))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(rows: Sequence[CurveRow], key: str) -> bool:
    values = _known(rows, key)
    return bool(values) and all(0 <= value <= 1 for value in values)


def _line(rows: Sequence[CurveRow], steps: Sequence[float], key: str, colour: int) -> Line:
    """A column that few rows have is a line through those rows alone."""
    known = [
        (x, row[key]) for x, row in zip(steps, rows, strict=True) if _is_number(row.get(key))
    ]
    label = _LABELS.get(key, plain(key))
    if len(known) < len(rows) / 2:
        return Line(
            label, [x for x, _ in known], [y for _, y in known], sparse=True, colour=colour
        )
    values = [row[key] if _is_number(row.get(key)) else nan for row in rows]
    return Line(label, steps, values, colour=colour)


def _colours(keys: Sequence[str]) -> dict[str, int]:
    """A validation curve has the colour of the training curve it belongs to."""
    families = list(dict.fromkeys(key.removeprefix("validation_") for key in keys))
    return {key: families.index(key.removeprefix("validation_")) for key in keys}


def _steps(rows: Sequence[CurveRow]) -> list[float]:
    """The rows' steps; where phases count anew, steps are counted through."""
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
