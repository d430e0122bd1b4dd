"""Training state in the workspace, parameter by parameter, whole.

A part holds whole parameters of some 256 MiB, gathered one after the other and written by
the first worker, so that no worker ever holds the model twice. What is written knows nothing
of how many workers there were or how they divided the model: a run goes on with more of them,
fewer, or another sharding. A step's head is written last; without it there is no checkpoint.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pixel_core.training.loop import Row
from pixel_core.workflow.stage import Workspace

#: Apart from those of ``training/checkpoint.py``, which have another form.
_PREFIX = "ray-sft-"
#: Bytes after which a part is full.
PART = 256 * 2**20
#: The latest, and the one before in case the latest is damaged.
_KEPT = 2
#: What a checkpoint is made of; the weights alone make the artifact.
WEIGHTS = "weights"
KINDS = (WEIGHTS, "optimizer")

#: A parameter's name, and tensors that belong to it, by name.
Named = tuple[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Head:
    """What stands in a checkpoint beside its tensors."""

    step: int
    parts: dict[str, int]
    curve: list[Row]
    trajectories: int


def save(
    work: Workspace | None,
    step: int,
    weights: Iterable[Named],
    optimizer: Iterable[Named],
    curve: list[Row],
    trajectories: int,
) -> None:
    """Write the state after ``step`` steps; older ones are dropped. Every worker goes through
    both iterables, which gather; only the one with a ``work`` writes."""
    parts = {}
    for kind, named in zip(KINDS, (weights, optimizer), strict=True):
        parts[kind] = _write(work, f"{_folder(step)}/{kind}", named)
    if work is None:
        return
    head = {"step": step, "parts": parts, "curve": curve, "trajectories": trajectories}
    work.put(f"{_folder(step)}/head", json.dumps(head).encode())
    for old in _steps(work)[:-_KEPT]:
        _drop(work, old)


def latest(work: Workspace, kinds: Sequence[str] = KINDS) -> Head | None:
    """The newest checkpoint of which every part, of these ``kinds``, can be read."""
    for step in reversed(_steps(work)):
        data = work.get(f"{_folder(step)}/head")
        if data is not None:
            head = Head(**json.loads(data))
            if all(work.get(name) is not None for kind in kinds for name in _names(head, kind)):
                return head
    return None


def read(work: Workspace, head: Head, kind: str) -> Iterator[dict[str, dict[str, Tensor]]]:
    """The parts of ``weights`` or ``optimizer``: tensors by parameter, on the CPU."""
    for name in _names(head, kind):
        data = work.get(name)
        if data is None:
            raise OSError(f"{name} was read a moment ago and is gone")
        yield torch.load(io.BytesIO(data), weights_only=True)


def _write(work: Workspace | None, prefix: str, named: Iterable[Named]) -> int:
    count = size = 0
    part: dict[str, dict[str, Tensor]] = {}

    def put() -> None:
        assert work is not None
        out = io.BytesIO()
        torch.save(part, out)
        work.put(f"{prefix}-{count:05d}", out.getvalue())

    for name, tensors in named:
        if work is None:
            continue
        part[name] = {key: value.cpu() for key, value in tensors.items()}
        size += sum(value.nbytes for value in part[name].values())
        if size >= PART:
            put()
            part, size, count = {}, 0, count + 1
    if part:
        put()
        count += 1
    return count


def _names(head: Head, kind: str) -> list[str]:
    return [f"{_folder(head.step)}/{kind}-{part:05d}" for part in range(head.parts[kind])]


def _folder(step: int) -> str:
    return f"{_PREFIX}{step:06d}"


def _steps(work: Workspace) -> list[int]:
    """Steps that were saved to the end."""
    heads = [
        name for name in work.names() if name.startswith(_PREFIX) and name.endswith("/head")
    ]
    return sorted(int(name.removeprefix(_PREFIX).removesuffix("/head")) for name in heads)


def _drop(work: Workspace, step: int) -> None:
    work.delete(f"{_folder(step)}/head")  # first: what follows is no checkpoint any more
    for name in work.names():
        if name.startswith(f"{_folder(step)}/"):
            work.delete(name)


def broadcast(parts: Iterator[Any] | None) -> Iterator[Any]:
    """What one worker has as ``parts``, at every worker; the others give None."""
    while True:
        held: list[Any] = [next(parts, None) if parts is not None else None]
        dist.broadcast_object_list(held, 0)
        if held[0] is None:
            return
        yield held[0]
