"""When the warm start is ready: the rule of ``SelectConfig``, applied while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pixel_core.config import SelectConfig
from pixel_core.training.loop import Row

#: The rule's fields, by the validation score that each is about.
_FIELDS = {
    "validation_rapr": "rapr",
    "validation_accuracy_with_operation": "accuracy_with_operation",
}


class Selection:
    """``check`` and ``reached`` are for ``loop.train``; what it saw is part of the checkpoint.

    ``score(step)``: the validation scores of the weights as they are after ``step``.
    ``note`` hears it when the window is passed. Training then goes on: scores of sampled
    answers go up and down, and a later check may lie in the window.
    """

    def __init__(
        self,
        config: SelectConfig,
        score: Callable[[int], Row],
        note: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._config = config
        self._score = score
        self._note = note
        self._at = 0
        self._passed_at = 0
        self._last: Row = {}

    def check(self, step: int, row: Row) -> Row:
        """The scores, where ``step`` (from 0) has a check; else nothing."""
        if (step + 1) % self._config.every:
            return {}
        self._last = self._score(step)
        standing = self._config.standing(self._last)
        if standing == "within":
            self._at = step + 1
        elif standing == "beyond" and not self._passed_at:
            self._passed_at = step + 1
            self._note(
                f"the warm start's window was passed at step {step + 1}: {self._seen()}; "
                "training goes on in case a later check lies in it"
            )
        return self._last

    def reached(self) -> bool:
        return self._at > 0

    def missed(self, steps: int) -> str:
        """What to say when training ended without it."""
        passed = ""
        remedy = "Raise sft.steps, or lower the target"
        if self._passed_at:
            passed = f"; the window was first passed at step {self._passed_at}"
            remedy = (
                "Check more often (sft.select.every), lower sft.optimizer.learning_rate, or "
                "widen the window"
            )
        return (
            f"the warm start was not selected: at the last check, {self._seen()}, after all "
            f"{steps} steps{passed}; the last weights are handed on, and tables mark what "
            f"stands on them. {remedy}"
        )

    def metrics(self) -> dict[str, Any]:
        """``selected_at``: steps done when the rule held, only where it did; ``passed_at``:
        the first check beyond the window, only where there was one."""
        found: dict[str, Any] = {"selected": self.reached()} | self._last
        if self.reached():
            found["selected_at"] = self._at
        if self._passed_at:
            found["passed_at"] = self._passed_at
        return found

    def state(self) -> dict[str, Any]:
        return {"at": self._at, "passed_at": self._passed_at, "last": self._last}

    def load(self, state: dict[str, Any]) -> None:
        self._at, self._last = state["at"], state["last"]
        # Checkpoints from before there were upper bounds have none that was passed.
        self._passed_at = state.get("passed_at", 0)

    def _seen(self) -> str:
        """The last check's scores, each beside what the rule asks of it."""
        parts = []
        for key, field in _FIELDS.items():
            low = getattr(self._config, field)
            high = getattr(self._config, f"{field}_at_most")
            wanted = [f"sft.select.{field} is {low}"] if low else []
            wanted += [f"sft.select.{field}_at_most is {high}"] if high < 1 else []
            if wanted:
                parts.append(f"{key} was {self._last.get(key)} ({', '.join(wanted)})")
        return ", ".join(parts)
