"""When the warm start is ready: the rule of ``SelectConfig``, applied while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pixel_core.config import SelectConfig
from pixel_core.training.loop import Row

#: The rule's targets, by the validation score that has to reach them.
_TARGETS = {
    "validation_rapr": "rapr",
    "validation_accuracy_with_operation": "accuracy_with_operation",
}


class Selection:
    """``check`` and ``reached`` are for ``loop.train``; what it saw is part of the checkpoint.

    ``score(step)``: the validation scores of the weights as they are after ``step``.
    """

    def __init__(self, config: SelectConfig, score: Callable[[int], Row]) -> None:
        self._config = config
        self._score = score
        self._at = 0
        self._last: Row = {}

    def check(self, step: int, row: Row) -> Row:
        """The scores, where ``step`` (from 0) has a check; else nothing."""
        if (step + 1) % self._config.every:
            return {}
        self._last = self._score(step)
        # Without an operation there is no accuracy with one: not reached.
        if all(self._last.get(key, 0.0) >= target for key, target in self._targets().items()):
            self._at = step + 1
        return self._last

    def reached(self) -> bool:
        return self._at > 0

    def missed(self, steps: int) -> str:
        """What to say when training ended without it."""
        seen = ", ".join(
            f"{key} was {self._last.get(key)} (sft.select.{_TARGETS[key]} is {target})"
            for key, target in self._targets().items()
        )
        return (
            f"the warm start was not selected: at the last check, {seen}, after all {steps} "
            "steps; the last weights are handed on. Raise sft.steps, or lower the target"
        )

    def metrics(self) -> dict[str, Any]:
        """``selected_at``: steps done when the targets were reached, only where they were."""
        found: dict[str, Any] = {"selected": self.reached()} | self._last
        return found | ({"selected_at": self._at} if self.reached() else {})

    def state(self) -> dict[str, Any]:
        return {"at": self._at, "last": self._last}

    def load(self, state: dict[str, Any]) -> None:
        self._at, self._last = state["at"], state["last"]

    def _targets(self) -> dict[str, float]:
        targets = {key: getattr(self._config, field) for key, field in _TARGETS.items()}
        return {key: target for key, target in targets.items() if target}
