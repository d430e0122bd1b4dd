"""OpenRLHF's log as the curve, the guards' warnings, and what a person sees."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pixel_core.config import RlConfig
from pixel_core.errors import StageFailed
from pixel_core.training.guards import GuardEvent, Guards
from pixel_core.training.openrlhf.logs import Row, diverged, parse
from pixel_core.workflow.stage import Progress, SilentProgress

_WATCHED = ("loss", "accuracy", "reward", "rapr", "op_error_rate", "validation_accuracy")
#: What the guards ask for, where a status line lacks it.
_UNKNOWN = {"grad_norm": 0.0, "rapr": 0.0, "truncated": 0.0}


class Curve:
    """Rows by step, from all starts of one run. A start that goes on from a checkpoint does
    some steps again: the rows from there on are forgotten then."""

    def __init__(self, rl: RlConfig, progress: Progress) -> None:
        self._rl = rl
        self._progress = progress
        self._guards = Guards(rl.guards, progress)
        self.rows: list[Row] = []

    @property
    def events(self) -> list[GuardEvent]:
        return self._guards.events

    def recall(self, lines: Iterable[str]) -> None:
        """Take in what earlier starts of the run said, silently."""
        for line in lines:
            if found := self._parsed(line):
                self._place(*found)
        self._recall_guards(math.inf)

    def read(self, line: str) -> None:
        """Take in a new line of the log. ``StageFailed`` once an update was no number: the
        weights are lost from there on."""
        found = self._parsed(line)
        if found is None:
            return
        step, row = found
        if self._place(step, row):
            self._recall_guards(step)
        if "validation_accuracy" not in row:
            self._guards.admit(step - 1, _UNKNOWN | row)
        shown = {key: row[key] for key in _WATCHED if key in row}
        self._progress.update(step, self._rl.steps, **shown)
        if diverged(row):
            raise StageFailed(
                f"step {step} of OpenRLHF made a loss of {row.get('loss')} with a gradient "
                f"norm of {row.get('grad_norm')}: its update is no number and cannot be "
                "undone; run again to go on from the last checkpoint, or try a lower "
                "rl.optimizer.learning_rate"
            )

    def _parsed(self, line: str) -> tuple[int, Row] | None:
        found = parse(line)
        if found is None or not found[1]:
            return None
        step, row = found
        if not self._rl.kl:
            row.pop("kl_warm_start", None)
        return step, row

    def _place(self, step: int, row: Row) -> bool:
        """Put a row where it belongs; whether rows that were done again had to go."""
        if "validation_accuracy" in row:  # of an evaluation after the step
            for known in self.rows:
                if known["step"] == step:
                    known.update(row)
            return False
        kept = [known for known in self.rows if known["step"] < step]
        again = len(kept) < len(self.rows)
        self.rows = [*kept, {"step": float(step), **row}]
        return again

    def _recall_guards(self, step: float) -> None:
        """What the guards remember when they come to ``step``; nothing is said again."""
        silent = Guards(self._rl.guards, SilentProgress())
        for row in self.rows:
            if row["step"] < step:
                silent.admit(int(row["step"]) - 1, _UNKNOWN | row)
        self._guards = Guards(self._rl.guards, self._progress)
        self._guards.load(silent.state())
