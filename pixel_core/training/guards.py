"""Health guards of RL: what looks sick in a step, said once, and what is done about it.

The guards see a step's row before its update. They are functions of the rows alone, so every
worker comes to the same verdict, and they are part of the checkpoint, so a resumed run does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pixel_core.config import GuardsConfig
from pixel_core.training.loop import Row, is_sound
from pixel_core.workflow.stage import Progress

FILE = "health.jsonl"
#: Running medians look back this many steps, and are trusted from ``_SETTLED`` values on.
WINDOW = 32
SETTLED = 8
#: An event is over, and the next one told anew, after so many steps without its sign.
CALM = 10
#: Hits, or answers read from them, are called too few below this share.
HALF = 0.5


@dataclass(frozen=True)
class GuardEvent:
    """One guard's warning at ``step`` (from 1): ``value``, in the unit of ``threshold``."""

    step: int
    guard: str
    action: str
    value: float
    threshold: float
    text: str


@dataclass
class _Memory:
    """What the guards remember; plain values, so that a checkpoint can hold it."""

    loss: list[float] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)
    #: The first steps' entropies.
    entropy: list[float] = field(default_factory=list)
    unsound_in_a_row: int = 0
    skipped: int = 0
    #: Steps in a row with RaPR above the mark, and whether they were enough once.
    high_in_a_row: int = 0
    rapr_was_high: bool = False
    #: Of the last steps: RaPR, accuracy with an operation and without; 0 where there was none.
    operation: list[tuple[float, float, float]] = field(default_factory=list)
    #: Of the same steps, where cues are known: the share of rollouts with a zoom, of those the
    #: share that hit, of these the share that is right.
    crops: list[tuple[float, float, float]] = field(default_factory=list)
    #: By guard, the last step that showed its sign.
    last_sign: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    stopped_by: str = ""
    stopped_at: int = 0


class Guards:
    """Watches rows; ``admit`` and ``ended`` are for ``loop.train``."""

    def __init__(self, config: GuardsConfig, progress: Progress) -> None:
        self._config = config
        self._progress = progress
        self._memory = _Memory()

    @property
    def events(self) -> list[GuardEvent]:
        return [GuardEvent(**event) for event in self._memory.events]

    @property
    def skipped(self) -> int:
        """Updates that were not applied because loss or gradient was no number."""
        return self._memory.skipped

    @property
    def stopped_by(self) -> str:
        return self._memory.stopped_by

    @property
    def stopped_at(self) -> int:
        """The step, from 1, whose update was refused; 0 when training was not stopped."""
        return self._memory.stopped_at

    def ended(self) -> bool:
        return bool(self._memory.stopped_by)

    def admit(self, step: int, row: Row) -> bool:
        """Look at the row of ``step`` (from 0); False when a guard stops the run here."""
        self._look_at_numbers(step + 1, row)
        self._look_for_spikes(step + 1, row)
        self._look_at_entropy(step + 1, row)
        self._look_at_rapr(step + 1, row)
        self._look_at_operations(step + 1, row)
        self._look_at_truncation(step + 1, row)
        return not self.ended()

    def state(self) -> dict[str, Any]:
        return asdict(self._memory)

    def load(self, state: dict[str, Any]) -> None:
        self._memory = _Memory(**state)

    def _look_at_numbers(self, step: int, row: Row) -> None:
        guard, memory = self._config.non_finite, self._memory
        if is_sound(row):
            memory.unsound_in_a_row = 0
            return
        memory.unsound_in_a_row += 1
        memory.skipped += 1
        self._sign(
            step,
            "non_finite",
            float(memory.unsound_in_a_row),
            f"loss {row.get('loss', math.nan):g} with gradient norm {row['grad_norm']:g} is no "
            f"number: the update was skipped ({memory.unsound_in_a_row} in a row, "
            f"{guard.threshold} are too many); try a lower rl.optimizer.learning_rate",
            stop=memory.unsound_in_a_row >= guard.threshold,
        )

    def _look_for_spikes(self, step: int, row: Row) -> None:
        memory = self._memory
        pairs = (
            ("loss_spike", "|loss|", abs(row.get("loss", math.nan)), memory.loss),
            ("gradient_spike", "gradient norm", row["grad_norm"], memory.gradient),
        )
        for name, what, value, past in pairs:
            if not math.isfinite(value) or not value:
                continue  # no step was taken: nothing to compare, or another guard's matter
            limit = getattr(self._config, name).threshold
            usual = median(past) if len(past) >= SETTLED else math.inf
            if value >= limit * usual:
                self._sign(
                    step,
                    name,
                    value / usual,
                    f"{what} {value:.3g} is {value / usual:.1f} times its running median "
                    f"{usual:.3g} (threshold {limit:g}); try a lower "
                    "rl.optimizer.learning_rate or max_grad_norm, or more rl.queries",
                )
            past.append(value)
            del past[:-WINDOW]

    def _look_at_entropy(self, step: int, row: Row) -> None:
        value, memory = row.get("entropy", math.nan), self._memory
        if not math.isfinite(value):
            return
        if len(memory.entropy) < SETTLED:
            memory.entropy.append(value)
            return
        start, limit = median(memory.entropy), self._config.entropy_collapse.threshold
        if value < limit * start:
            self._sign(
                step,
                "entropy_collapse",
                value / start,
                f"entropy fell to {value:.3g} nats a token, {value / start:.2g} of the "
                f"{start:.3g} it began with (threshold {limit:g}): rollouts of a group become "
                "alike; try rl.entropy, a lower rl.optimizer.learning_rate, or rl.kl",
            )

    def _look_at_rapr(self, step: int, row: Row) -> None:
        guard, memory, value = self._config.rapr_collapse, self._memory, row["rapr"]
        memory.high_in_a_row = memory.high_in_a_row + 1 if value >= guard.above else 0
        memory.rapr_was_high |= memory.high_in_a_row >= guard.steps
        if memory.rapr_was_high and value < guard.threshold:
            self._sign(
                step,
                "rapr_collapse",
                value,
                f"RaPR fell to {value:.3g} (threshold {guard.threshold:g}) after {guard.steps} "
                f"steps at {guard.above:g} or more: the model has stopped using operations, "
                "the learning trap; try a larger rl.reward.alpha or rapr_target, or a lower "
                "rl.optimizer.learning_rate",
            )

    def _look_at_operations(self, step: int, row: Row) -> None:
        guard, past = self._config.useless_operation, self._memory.operation
        with_one = row.get("accuracy_with_operation", 0.0)
        without = row.get("accuracy_without_operation", 0.0)
        past.append((row["rapr"], with_one, without))
        del past[: -guard.steps]
        crops = self._memory.crops
        names = ("cue_rapr", "operation_hits", "crop_read")
        crops.append((row.get(names[0], 0.0), row.get(names[1], 0.0), row.get(names[2], 0.0)))
        del crops[: -guard.steps]
        used = sum(rapr for rapr, _, _ in past)
        unused = len(past) - used
        if len(past) < guard.steps or used < guard.above * len(past) or not unused:
            return
        right_with = sum(rapr * right for rapr, right, _ in past) / used
        right_without = sum((1 - rapr) * right for rapr, _, right in past) / unused
        # As good is not better; sums of equal values may differ in the last bit.
        if right_with - right_without <= guard.threshold + 1e-9:
            self._sign(
                step,
                "useless_operation",
                right_with - right_without,
                f"over {guard.steps} steps {used / len(past):.0%} of the rollouts used an "
                f"operation and were right in {right_with:.0%} of the cases, the others in "
                f"{right_without:.0%} (threshold {guard.threshold:g}): the bonus keeps up an "
                f"operation that does not pay; {_what_fails(crops)}",
            )

    def _look_at_truncation(self, step: int, row: Row) -> None:
        value, limit = row["truncated"], self._config.all_truncated.threshold
        if value >= limit:
            self._sign(
                step,
                "all_truncated",
                value,
                f"{value:.0%} of the rollouts were cut by the token limit (threshold "
                f"{limit:.0%}) and have no turn's end to learn from; try a larger "
                "dialogue.max_new_tokens, or a longer warm start",
            )

    def _sign(
        self, step: int, name: str, value: float, text: str, *, stop: bool = True
    ) -> None:
        """A guard's sign was seen; ``stop``: it is enough to stop for, where that is asked."""
        guard, memory = getattr(self._config, name), self._memory
        if guard.action == "off":
            return
        stopping = stop and guard.action == "stop"
        last = memory.last_sign.get(name)
        memory.last_sign[name] = step
        if stopping and not memory.stopped_by:
            memory.stopped_by, memory.stopped_at = name, step
        elif last is not None and step - last <= CALM:
            return  # the same event goes on
        action = "stop" if stopping else "warn"
        event = GuardEvent(step, name, action, value, float(guard.threshold), text)
        memory.events.append(asdict(event))
        ending = "; training stops here" if stopping else ""
        self._progress.note(f"{name.replace('_', ' ')} at step {step}: {text}{ending}")


def _what_fails(crops: Iterable[tuple[float, float, float]]) -> str:
    """Which of the two that an answer after a crop needs is missing, and what to try."""
    crops = list(crops)
    zooms = sum(used for used, _, _ in crops)
    hits = sum(used * hit for used, hit, _ in crops)
    if not zooms:
        return (
            "look at what the crops show and whether they are read, and try a longer warm "
            "start or more trajectories with operations"
        )
    read = sum(used * hit * right for used, hit, right in crops)
    seen = f"{hits / zooms:.0%} of the last crops show the cue"
    if hits:
        seen += f", and {read / hits:.0%} of the answers after these are right"
    if hits < HALF * zooms:
        remedy = (
            "it misses: try a longer warm start or more trajectories with operations, or a "
            "base model that finds things better"
        )
    elif read < HALF * hits:
        remedy = (
            "it hits and its crop is not read: try a longer warm start, more trajectories that "
            "answer from a crop, or a base model that has read crops"
        )
    else:
        remedy = (
            "it hits and is read, and answering at once does as well: try a longer warm start, "
            "or questions whose answer cannot be seen without a crop"
        )
    return f"{seen}: {remedy}"


def write_health(out: Path, events: Iterable[GuardEvent]) -> None:
    """``health.jsonl``: one event a line; an empty file is a run without any."""
    with (out / FILE).open("w", encoding="utf-8") as lines:
        for event in events:
            lines.write(json.dumps(asdict(event), allow_nan=False) + "\n")
