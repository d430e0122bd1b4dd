"""The warnings of RL's health guards, and which weights RL handed on.

``health.jsonl`` beside the RL curve has one warning a line, in step order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixel_core.config import RlConfig
from pixel_core.records import Record, read_jsonl
from pixel_core.report.html.wording import percent, plain, points

#: How to format a guard's value and threshold; both have the same unit.
_UNITS: dict[str, Callable[[float], str]] = {
    "non_finite": lambda value: f"{value:g} in a row",
    "loss_spike": lambda value: f"{value:.3g} × the median",
    "gradient_spike": lambda value: f"{value:.3g} × the median",
    "entropy_collapse": lambda value: f"{percent(value)} of the start",
    "rapr_collapse": percent,
    "useless_operation": lambda value: f"{points(value)} points",
    "all_truncated": percent,
}


class HealthEvent(Record):
    """One warning; ``step`` counts from 1, ``text`` ends with what to try."""

    step: int
    guard: str
    action: Literal["warn", "stop"]
    value: float
    threshold: float
    text: str


@dataclass(frozen=True)
class HealthRow:
    """A warning as the page shows it."""

    step: int
    guard: str
    stopped: bool
    value: str
    threshold: str
    text: str


def read_health(path: Path) -> list[HealthEvent] | None:
    """The warnings; None for an artifact older than the guards. ``DataError`` names an
    invalid line."""
    return list(read_jsonl(path, HealthEvent)) if path.exists() else None


def health_rows(events: Sequence[HealthEvent]) -> list[HealthRow]:
    rows = []
    for event in events:
        unit = _UNITS.get(event.guard, lambda value: f"{value:.3g}")
        rows.append(
            HealthRow(
                step=event.step,
                guard=plain(event.guard),
                stopped=event.action == "stop",
                value=unit(event.value),
                threshold=unit(event.threshold),
                text=event.text[:1].upper() + event.text[1:],
            )
        )
    return rows


def ending(
    config: RlConfig, curve: Sequence[dict[str, Any]], events: Sequence[HealthEvent]
) -> str:
    """How training ended, and which weights the policy has; "" for an empty curve.

    As in the RL stage: a run stopped by a guard keeps its best weights by validation
    accuracy, whatever ``keep`` says; ties go to the earliest.
    """
    if not curve:
        return ""
    stop = next((event for event in events if event.action == "stop"), None)
    checks = [row for row in curve if "validation_accuracy" in row]
    if stop is not None:
        said = (
            f"Stopped by the guard “{plain(stop.guard)}” at step {stop.step} of "
            f"{config.steps}, before its update. "
        )
    else:
        said = f"Ended after all {len(curve)} steps. "
    if checks and (stop is not None or config.keep == "best"):
        best = max(checks, key=lambda row: row["validation_accuracy"])
        return said + (
            f"The policy has the weights of step {best['step']:g}, the best of {len(checks)} "
            f"on validation questions ({percent(best['validation_accuracy'])} right)."
        )
    if stop is not None:
        return said + "Nothing had been validated: the policy has the weights before that step."
    return said + "The policy has the last weights."
