"""Training state in a stage's workspace: weights, optimizer, position, and the curve."""

from __future__ import annotations

import io
from typing import Any

import torch

from pixel_core.workflow.stage import Workspace

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
