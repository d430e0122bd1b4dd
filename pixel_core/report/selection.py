"""The rule that selects the warm start, in words, and whether it held.

A warm start whose rule never held is marked wherever it, or a result based on it, is shown:
its numbers are those of the last weights, which no rule selected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pixel_core.config import SelectConfig, SftConfig
from pixel_core.report.html.wording import percent

#: Curves are written with six digits.
_ROUNDING = 1e-6

Check = Mapping[str, Any]


def missed_rule(config: SftConfig, curve: Sequence[Check]) -> bool:
    """Whether there was a rule that none of the curve's checks met."""
    if not config.steps or not config.select.rapr:
        return False
    checks = _checks(curve)
    return bool(checks) and not _met(config.select, checks[-1])


def rule(config: SftConfig) -> str:
    """The rule for the warm start."""
    select = config.select
    also = ""
    low, high = select.accuracy_with_operation, select.accuracy_with_operation_at_most
    if low or high < 1:
        also = f" and {_range(low, high)} of the answers with an operation are right"
    each = f"{select.samples} answers" if select.samples > 1 else "one answer"
    return (
        f"Selection rule, set before RL: training ends at the first check, one every "
        f"{select.every} steps, at which RaPR is {_range(select.rapr, select.rapr_at_most)}"
        f"{also}. Asked are {select.questions} validation questions, {each} each, sampled at "
        f"temperature {select.temperature:g}; at most {config.steps} steps."
    )


def outcome(select: SelectConfig, curve: Sequence[Check]) -> str:
    """Where the rule held, or else the result of the last check."""
    checks = _checks(curve)
    if not checks:
        return "The rule's checks are not in the curve."
    last = checks[-1]
    seen = f"RaPR {percent(last['validation_rapr'])}"
    bounded = select.accuracy_with_operation or select.accuracy_with_operation_at_most < 1
    if bounded and last["validation_rapr"]:
        # Without answers that use an operation, a check lacks this accuracy.
        accuracy = last.get("validation_accuracy_with_operation", 0.0)
        seen += f", {percent(accuracy)} of the answers with an operation right"
    if _met(select, last):
        return f"Reached at step {last['step']:g}: {seen}."
    passed = next((row for row in checks if select.standing(row, _ROUNDING) == "beyond"), None)
    beyond = (
        "" if passed is None else f" The window was first passed at step {passed['step']:g}."
    )
    return (
        f"Not reached in {len(curve)} steps: {seen} at the last check, step {last['step']:g}."
        f"{beyond} The last weights are handed on."
    )


def _checks(curve: Sequence[Check]) -> list[Check]:
    return [row for row in curve if "validation_rapr" in row]


def _met(select: SelectConfig, check: Check) -> bool:
    return select.standing(check, _ROUNDING) == "within"


def _range(low: float, high: float) -> str:
    """``at least 15 %``, ``15 % to 40 %``, ``at most 40 %``."""
    if high == 1:
        return f"at least {percent(low, 0)}"
    return f"{percent(low, 0)} to {percent(high, 0)}" if low else f"at most {percent(high, 0)}"
