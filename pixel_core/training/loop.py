"""The training loop that pretraining, SFT and RL share: shards, sum, step, checkpoint.

A resumed run equals an uninterrupted one bit for bit: all randomness is derived from
(seed, step, shard); weights, optimizer, curve and whatever else a stage carries from step to
step come from the checkpoint.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from pixel_core.config import OptimizerConfig
from pixel_core.training.optimizer import Optimizer
from pixel_core.workflow.parallel.team import Interrupted, WorkerGroup
from pixel_core.workflow.stage import Workspace

# Training state in a stage's workspace: weights, optimizer, position, and the curve.


#: The latest, and the one before in case the latest is damaged.
_KEPT = 2


def save(work: Workspace, phase: str, step: int, state: dict[str, Any]) -> None:
    """Write the state after ``step`` steps; older ones of the phase are dropped."""
    out = io.BytesIO()
    torch.save(state, out)
    work.put(_name(phase, step), out.getvalue())
    for old in _steps(work, phase)[:-_KEPT]:
        work.delete(_name(phase, old))


def load_latest(work: Workspace, phase: str) -> tuple[int, dict[str, Any]] | None:
    """The newest state of the phase that can be read, with its step."""
    for step in reversed(_steps(work, phase)):
        data = work.get(_name(phase, step))
        if data is not None:
            return step, torch.load(io.BytesIO(data), weights_only=True)
    return None


def _name(phase: str, step: int) -> str:
    return f"{phase}-step-{step:06d}"


def _steps(work: Workspace, phase: str) -> list[int]:
    prefix = f"{phase}-step-"
    return sorted(
        int(name.removeprefix(prefix)) for name in work.names() if name.startswith(prefix)
    )


Row = dict[str, float]


#: One shard of a step, called with (step, shard): calls ``backward`` on a SUM of losses and
#: returns sums. The key ``denominator`` is what the summed gradient and every other sum are
#: divided by (after adding up the shards), unless a key ``x/n`` names another for ``x``.
Shard = Callable[[int, int], Row]


class Stateful(Protocol):
    """What a stage carries from step to step beside the weights; checkpoints hold it."""

    def state(self) -> Any:
        """Tensors, numbers, texts, None, in lists and dicts. Every worker is asked (so it
        may gather), and what the leader returns is saved."""

    def load(self, state: Any) -> None:
        """Go on from what was saved; called at every worker."""


def is_sound(row: Row) -> bool:
    """Whether a step's loss and gradient are numbers."""
    return math.isfinite(row.get("loss", 0.0)) and math.isfinite(row["grad_norm"])


def train(
    team: WorkerGroup,
    model: Any,
    *,
    phase: str,
    steps: int,
    optimizer_config: OptimizerConfig,
    shard: Shard,
    work: Workspace,
    checkpoint_every: int,
    watched: tuple[str, ...] = ("loss",),
    done_before: int = 0,
    steps_in_all: int | None = None,
    admit: Callable[[int, Row], bool] = lambda step, row: True,
    after_step: Callable[[int, Row], Row] | None = None,
    ended: Callable[[], bool] = lambda: False,
    carried: Mapping[str, Stateful] | None = None,
) -> list[Row]:
    """Train ``model`` in place for ``steps``; returns the curve, a row a step.

    ``watched`` names what the person at the terminal sees; ``done_before`` and
    ``steps_in_all`` shift the progress shown. ``admit`` sees a step's row before its update
    and may refuse it; one that is not sound is never applied. ``after_step`` may add to a
    row (a validation score). Once ``ended`` is true no further step begins. The three run on
    every worker and must say the same there. ``carried``: what they remember, by name.
    Raises ``Interrupted``, after saving, when the run is asked to stop.
    """
    optimizer = Optimizer(model, optimizer_config, steps, team)
    carried = carried or {}
    curve: list[Row] = []
    first = 0
    found = load_latest(work, phase)
    if found is not None:
        first, state = found
        model.load_state_dict(state["model"])
        optimizer.load(state["optimizer"])
        curve = state["curve"]
        for name, item in carried.items():
            item.load(state["carried"][name])
        team.progress.note(f"{phase}: going on from step {first} of {steps}")
    total = steps_in_all or steps
    for step in range(first, steps):
        if ended():
            break
        row = _step(team, optimizer, shard, step, admit)
        stop = row.pop("interrupted") > 0
        if after_step is not None:
            row |= after_step(step, row)
        curve.append({"step": float(done_before + step + 1), **row})
        shown = {name: row[name] for name in watched if name in row}
        team.progress.update(done_before + step + 1, total, **shown)
        last = step + 1 == steps or ended()
        if last or stop or (step + 1) % checkpoint_every == 0:
            kept = {name: item.state() for name, item in carried.items()}
            if team.leads:
                state = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state(),
                    "curve": curve,
                    "carried": kept,
                }
                save(work, phase, step + 1, state)
        if stop:
            raise Interrupted(f"{phase} stopped after step {step + 1} of {steps}, saved")
    return curve


def _step(
    team: WorkerGroup,
    optimizer: Optimizer,
    shard: Shard,
    step: int,
    admit: Callable[[int, Row], bool],
) -> Row:
    """All shards of this worker, the sum over workers, and at most one update."""
    sums: Row = {}
    gradient: Tensor | None = None
    for index in team.shards:
        for key, value in shard(step, index).items():
            sums[key] = sums.get(key, 0.0) + value
        flat = _take_gradient(optimizer)
        gradient = flat if gradient is None else gradient + flat
    assert gradient is not None
    names = sorted(sums)
    values = [*(sums[name] for name in names), float(team.interrupted())]
    totals = team.sum(torch.tensor(values, dtype=torch.float64)).tolist()
    stop = totals.pop()
    row = dict(zip(names, totals, strict=True))
    team.sum(gradient)
    denominator = row.pop("denominator")
    _give_gradient(optimizer, gradient / max(denominator, 1.0))
    row = _averages(row, denominator)
    row["grad_norm"] = optimizer.clip()
    # Asked in any case: what refuses must also hear of the steps that are not sound.
    if admit(step, row) and is_sound(row):
        optimizer.update(step)
    optimizer.clear()
    row["interrupted"] = stop
    return row


def _averages(sums: Row, denominator: float) -> Row:
    """Sums to means; a mean over nothing is left out."""
    row: Row = {}
    for key, value in sums.items():
        if key.endswith("/n"):
            continue
        count = sums.get(f"{key}/n", denominator)
        if count:
            row[key] = value / count
    return row


def _take_gradient(optimizer: Optimizer) -> Tensor:
    """The gradients as one vector, taken off the parameters; zero where there is none."""
    parts = [
        torch.zeros(p.numel(), dtype=p.dtype) if p.grad is None else p.grad.flatten()
        for p in optimizer.parameters
    ]
    for parameter in optimizer.parameters:
        parameter.grad = None
    return torch.cat(parts)


def _give_gradient(optimizer: Optimizer, flat: Tensor) -> None:
    at = 0
    for parameter in optimizer.parameters:
        parameter.grad = flat[at : at + parameter.numel()].view_as(parameter)
        at += parameter.numel()
