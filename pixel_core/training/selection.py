"""When the warm start is ready: the rule of ``SelectConfig``, applied while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pixel_core.config import SelectConfig
from pixel_core.training.loop import Row


class Selection:
    """``check`` and ``reached`` are for ``loop.train``; what it saw is part of the checkpoint.

    ``score(step)``: the validation scores of the weights as they are after ``step``.
    """

    def __init__(self, config: SelectConfig, score: Callable[[int], Row]) -> None:
        self._config = config
        self._score = score
        self._at = 0
        self._rapr: float | None = None

    def check(self, step: int, row: Row) -> Row:
        """The scores, where ``step`` (from 0) has a check; else nothing."""
        if (step + 1) % self._config.every:
            return {}
        scores = self._score(step)
        self._rapr = scores["validation_rapr"]
        if self._rapr >= self._config.rapr:
            self._at = step + 1
        return scores

    def reached(self) -> bool:
        return self._at > 0

    def missed(self, steps: int) -> str:
        """What to say when training ended without it."""
        return (
            f"the warm start was not selected: RaPR on the validation questions was "
            f"{self._rapr} at the last check, below sft.select.rapr {self._config.rapr}, after "
            f"all {steps} steps; the last weights are handed on. Raise sft.steps, or lower the "
            "target"
        )

    def metrics(self) -> dict[str, Any]:
        """``selected_at``: steps done when the target was reached, only where it was."""
        found: dict[str, Any] = {"selected": self.reached(), "validation_rapr": self._rapr}
        return found | ({"selected_at": self._at} if self.reached() else {})

    def state(self) -> dict[str, Any]:
        return {"at": self._at, "rapr": self._rapr}

    def load(self, state: dict[str, Any]) -> None:
        self._at, self._rapr = state["at"], state["rapr"]
