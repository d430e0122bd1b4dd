"""The Ray that this process belongs to, or one of its own for as long as it needs one."""

from __future__ import annotations

import json
import logging
import os
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from pixel_core.errors import PixelError, StageFailed
from pixel_core.workflow.cluster import worker_python
from pixel_core.workflow.stage import Progress, Workspace

#: Bytes that a Ray of our own sets aside for objects in flight: what chunks answer is text.
_OBJECT_STORE = 128 * 2**20


@contextmanager
def ray_here(cpus: int) -> Iterator[None]:
    """Connected to the cluster whose job this process is; elsewhere to a small Ray with
    ``cpus`` CPUs and this machine's GPUs, which ends with the block."""
    import ray

    if ray.is_initialized():  # by our caller, who will end it
        yield
        return
    # Inside a job Ray sets the address. One that names a web page is for its commands.
    address = os.environ.get("RAY_ADDRESS", "")
    if address and not address.startswith("http"):
        ray.init(address=address, logging_level=logging.WARNING)
    else:
        # "local", so that nobody else's Ray on this machine is taken for ours. What actors
        # print stays in Ray's own logs: the terminal belongs to the run.
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=worker_python.here(),
        )
    try:
        yield
    finally:
        ray.shutdown()


# Ray actors that share the work of a stage, item by item, wherever the cluster has room.
#
# The driver hands out items one at a time and is given each result the moment it is done, so
# a lost actor costs the one item it was on: that is given to another, and the actor is
# replaced.


T = TypeVar("T")
R = TypeVar("R")

#: Actors that may be lost over one and the same item.
LOSSES = 3
#: Seconds between two chances to be interrupted.
_TICK_S = 1.0
#: Seconds without an answer, at the start, after which a person is told why that may be.
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Pool:
    """``cpus`` and ``gpus``: what Ray sets aside for each actor. Of more actors than there
    are items, the surplus is never started."""

    actors: int
    gpus: float = 0.0
    cpus: float = 1.0


def share_out(
    pool: Pool,
    items: Iterable[T],
    opener: Callable[..., Callable[[T], R]],
    arguments: tuple[Any, ...],
    progress: Progress,
) -> Generator[tuple[T, R], None, None]:
    """Yield each item with what ``opener(*arguments)(item)`` returns, as they are done.

    ``opener`` is importable where the actors are; each calls it once, before its first item.
    ``items`` are taken as actors become free, so they may depend on what was yielded before.
    Close the iterator (``contextlib.closing``) when leaving it early: items under way are
    given up. An actor's ``PixelError`` is raised here; ``StageFailed`` has the traceback of
    any other error, or says which item was lost with ``LOSSES`` actors.
    """
    source = iter(items)
    for first in source:  # without any, no Ray is needed
        with ray_here(pool.actors):
            crew: _ActorCrew[T, R] = _ActorCrew(pool, opener, arguments, progress)
            try:
                yield from crew.results(chain([first], source))
            finally:
                crew.end()


class _Actor(Generic[T, R]):
    """Runs in a process of its own."""

    def __init__(self) -> None:
        self._worker: Callable[[T], R] | None = None

    def work(
        self, made_of: tuple[Callable[..., Callable[[T], R]], tuple[Any, ...]], item: T
    ) -> tuple[str, Any]:
        """What came of the item, or how it failed. Ray's own errors are lost actors."""
        try:
            if self._worker is None:
                # Not when the actor is made: an error would look like a lost actor.
                opener, arguments = made_of
                self._worker = opener(*arguments)
            return "result", self._worker(item)
        except PixelError as error:
            return "error", error
        except Exception:  # noqa: BLE001 - the border of a process: the text must get across
            return "crash", traceback.format_exc()


@dataclass(frozen=True)
class _Task(Generic[T]):
    number: int
    item: T


class _ActorCrew(Generic[T, R]):
    """The actors, and what each is on."""

    def __init__(
        self,
        pool: Pool,
        opener: Callable[..., Callable[[T], R]],
        arguments: tuple[Any, ...],
        progress: Progress,
    ) -> None:
        import ray

        self._ray = ray
        self._pool = pool
        self._made_of = ray.put((opener, arguments))  # once, however many items there are
        self._progress = progress
        # A lost actor is replaced by another one here; Ray must not start it again as well.
        kind: Any = ray.remote(_Actor)
        self._kind = kind.options(
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._free: deque[Any] = deque()
        self._busy: dict[Any, tuple[Any, _Task[T]]] = {}
        self._again: deque[_Task[T]] = deque()
        self._losses: Counter[int] = Counter()

    def results(self, items: Iterator[T]) -> Generator[tuple[T, R], None, None]:
        """See ``share_out``."""
        tasks = (_Task(number, item) for number, item in enumerate(items))
        began, quiet = time.monotonic(), True
        while self._hand_out(tasks):
            ready, _ = self._ray.wait(list(self._busy), timeout=_TICK_S)
            if quiet and time.monotonic() - began > _PATIENCE_S and not ready:
                quiet = False
                self._progress.note(self._wait_told())
            for reference in ready:
                quiet = False
                actor, task = self._busy.pop(reference)
                for result in self._outcome(reference, actor, task):
                    yield task.item, result

    def end(self) -> None:
        for actor in [*self._free, *(actor for actor, _ in self._busy.values())]:
            self._ray.kill(actor)

    def _hand_out(self, tasks: Iterator[_Task[T]]) -> bool:
        """Give every actor something to do, if there is; whether any is at work then."""
        while self._free or len(self._busy) < self._pool.actors:
            task = self._again.popleft() if self._again else next(tasks, None)
            if task is None:
                break
            actor = self._free.popleft() if self._free else self._kind.remote()
            self._busy[actor.work.remote(self._made_of, task.item)] = (actor, task)
        return bool(self._busy)

    def _outcome(self, reference: Any, actor: Any, task: _Task[T]) -> Iterator[R]:
        """The task's result; none when its actor was lost, and it will be done again."""
        from ray.exceptions import RayError, RayTaskError

        try:
            kind, value = self._ray.get(reference)
        except RayTaskError as error:  # outside our own code: reading its work, or sending
            raise StageFailed(
                "an actor could not read its work, or could not send what it made (do all "
                f"nodes have this code?):\n{error}"
            ) from None
        except RayError as error:
            self._lose(actor, task, error)
            return
        self._free.append(actor)
        if kind == "error":
            raise value
        if kind == "crash":
            raise StageFailed(
                f"an actor failed (what was done is kept; run again to go on):\n{value}"
            )
        yield value

    def _lose(self, actor: Any, task: _Task[T], error: Exception) -> None:
        """The actor, its node or the way there is gone: its task goes first to another."""
        self._ray.kill(actor)
        self._losses[task.number] += 1
        lost, why = self._losses[task.number], _first_line(error)
        if lost >= LOSSES:
            raise StageFailed(
                f"{lost} actors in a row were lost over {task.item} ({why}); what was done is "
                "kept. If they ran out of memory, make chunks smaller or give them more room, "
                "then run again"
            )
        self._again.append(task)
        self._progress.note(f"an actor was lost over {task.item} ({why}); another one does it")

    def _wait_told(self) -> str:
        pool, free = self._pool, self._ray.available_resources()
        return (
            f"no actor has answered in {_PATIENCE_S:.0f} s: {pool.actors} are wanted with "
            f"{pool.cpus:g} CPU and {pool.gpus:g} GPU each, and the cluster has "
            f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU free; they start as "
            "soon as there is room"
        )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


# What an endpoint was asked for a stage's chunks: kept beside each chunk, summed at the end.
#
# The sum is the stage's table of costs, which its manifest shows; it is no part of what the
# stage makes.


#: Where the runner looks for what a stage cost.
_COSTS = "costs.json"
_SUFFIX = ".usage"


def put_chunk(work: Workspace, name: str, data: bytes, usage: Mapping[str, int]) -> None:
    """Make a chunk durable. Its usage goes first: what was paid for is counted even when
    the answers are lost on the way."""
    if usage:
        work.put(f"{name}{_SUFFIX}", json.dumps(usage).encode())
    work.put(name, data)


def sum_usage(work: Workspace) -> None:
    """Write the table of costs, where there are any."""
    total: Counter[str] = Counter()
    for name in work.names():
        if name.endswith(_SUFFIX):
            total.update(json.loads(work.get(name) or b"{}"))
    if total:
        work.put(_COSTS, json.dumps(total).encode())
