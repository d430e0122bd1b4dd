"""Worker processes that train one model together on this machine.

A step's work is cut into shards; a worker does some of them and the gradients are summed.
Each shard has its own random stream and is computed by one thread, and a sum of two does
not depend on its order, so with up to two shards any number of workers makes the same
bits. (More shards on more workers agree to rounding.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_core.errors import PixelError, StageFailed
from pixel_core.workflow.stage import Progress
from pixel_core.workflow.store.named_function import named_function

if TYPE_CHECKING:
    from torch import Tensor


# Which modules worker processes begin with, imported once in the fork server.


_modules = ["pixel_core.models.preload"]


def preload(modules: Iterable[str]) -> None:
    """Let all workers of this process begin with these, too; ask before the first starts.

    A run of an hour is then all of one code, whatever is saved to the source files
    meanwhile, and a worker starts sooner.
    """
    _modules.extend(name for name in modules if name not in _modules)


def preloaded() -> list[str]:
    """All that were asked for."""
    return list(_modules)


#: How long workers may take to end their step when the run is interrupted.
_GRACE_S = 20.0
#: What a socket's path leaves for its folder beside ``pymp-xxxxxxxx/listener-xxxxxxxx``.
_FOLDER_BYTES = 107 - 34
#: A worker that waits this long for another has lost it.
_PATIENCE = timedelta(minutes=30)


class Interrupted(Exception):
    """The run was asked to stop; the state was saved first."""


@dataclass
class WorkerGroup:
    """One worker's view: which shards it computes, and how it agrees with the others."""

    rank: int
    size: int
    shards: tuple[int, ...]
    shard_count: int
    progress: Progress
    #: The run is to stop once this file exists. A file, because a semaphore that a killed
    #: process leaves behind would be reported as leaked.
    _stop: Path = Path("never")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all workers, in place."""
        if self.size > 1:
            from torch import distributed as dist

            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """Every worker's value, by rank, at every worker."""
        if self.size == 1:
            return [value]
        from torch import distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def interrupted(self) -> bool:
        """Whether this worker has been asked to stop; workers may hear it a step apart."""
        return self._stop.exists()


def available(asked: int) -> int:
    """Processes to use: as asked, or one for each core this process may run on."""
    return asked or len(os.sched_getaffinity(0))


def worker_count(asked: int, shards: int) -> int:
    """Workers for a stage: as asked, or one a core; never more than there are shards."""
    count = max(1, min(available(asked), shards))
    while shards % count:
        count -= 1
    return count


def begin() -> None:
    """Let the process that workers are forked from import what they need, while this one does
    other work. Does nothing where it has begun."""
    multiprocessing.set_forkserver_preload(preloaded())
    _settle_sockets()
    # Ctrl-C in a terminal is for the run: the workers' parent inherits that it is held back.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _settle_sockets() -> None:
    """multiprocessing keeps its sockets where its first look finds a temporary folder, and a
    socket's path has at most 107 bytes. Under a longer ``TMPDIR`` they go to /tmp."""
    own = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > _FOLDER_BYTES:
        tempfile.tempdir = "/tmp"
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = own


def run_team(
    function: Callable[..., Any] | str,
    arguments: tuple[Any, ...],
    *,
    shards: int,
    workers: int,
    progress: Progress,
) -> Any:
    """Run ``function(team, *arguments)`` in every worker; returns what the leader returns.

    ``function`` is importable (it crosses a process border); as ``"module:function"`` it is
    imported by the workers alone. ``KeyboardInterrupt`` lets
    the workers save and end. A worker's ``PixelError`` is raised here; any other end
    without a result is ``StageFailed`` with the worker's traceback.
    """
    count = worker_count(workers, shards)
    context = multiprocessing.get_context("forkserver")
    begin()
    with tempfile.TemporaryDirectory(prefix="pixel-team-") as meeting:
        stop = Path(meeting) / "stop"
        pipes, processes = [], []
        for rank in range(count):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=_work,
                args=(rank, count, shards, str(Path(meeting) / "store"), theirs, stop),
                kwargs={"function": function, "arguments": arguments},
                daemon=True,
            )
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        try:
            result = _follow(pipes, progress)
            for process in processes:  # let them end by themselves: nothing is left behind
                process.join(_GRACE_S)
            return result
        except KeyboardInterrupt:
            stop.touch()
            progress.note("stopping: the last step is being saved")
            with suppress(PixelError, Interrupted, KeyboardInterrupt):
                _follow(pipes, progress, _GRACE_S)
            raise
        finally:
            for process in processes:
                process.terminate()
                process.join()


def _follow(pipes: list[Connection], progress: Progress, limit: float | None = None) -> Any:
    """Pass on what workers say until all are done; returns the leader's result.

    With a ``limit`` the run is stopping: each worker has so long to end its step, and none
    is cut short because another was done first.
    """
    open_pipes = list(pipes)
    result: Any = None
    while open_pipes:
        ready = wait(open_pipes, limit)
        if not ready:
            raise StageFailed(f"workers did not stop within {limit:.0f} s")
        for pipe in ready:
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
            except EOFError:
                open_pipes.remove(pipe)
                if limit is None:
                    raise StageFailed(
                        "a training worker died without a word (killed, or out of memory); "
                        "run again to go on from the last checkpoint"
                    ) from None
                continue
            if kind == "update":
                done, total, metrics = value
                progress.update(done, total, **metrics)
            elif kind == "note":
                progress.note(value)
            elif kind == "crash":
                raise StageFailed(
                    f"a training worker failed (run again to go on from the last checkpoint):"
                    f"\n{value}"
                )
            elif kind == "error" and limit is None:
                raise value
            else:
                open_pipes.remove(pipe)
                if kind == "result" and pipe is pipes[0]:
                    result = value
    return result


class _PipeProgress:
    """The leader's progress, sent to the parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._pipe.send(("update", (done, total, metrics)))

    def note(self, text: str) -> None:
        self._pipe.send(("note", text))


class _Silent:
    def update(self, done: int, total: int, **metrics: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def _work(
    rank: int,
    size: int,
    shards: int,
    store: str,
    pipe: Connection,
    stop: Path,
    function: Callable[..., Any] | str,
    arguments: tuple[Any, ...],
) -> None:
    import torch
    from torch import distributed as dist

    from pixel_core.workflow.parallel.memory import keep_freed_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, through ``stop``
    _die_with_parent()
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        if size > 1:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
            dist.init_process_group(
                "gloo",
                store=dist.FileStore(store, size),
                rank=rank,
                world_size=size,
                timeout=_PATIENCE,
            )
        share = shards // size
        team = WorkerGroup(
            rank=rank,
            size=size,
            shards=tuple(range(rank * share, (rank + 1) * share)),
            shard_count=shards,
            progress=_PipeProgress(pipe) if rank == 0 else _Silent(),
            _stop=stop,
        )
        if isinstance(function, str):
            function = named_function(function)
        pipe.send(("result", function(team, *arguments)))
    except (PixelError, Interrupted) as error:
        pipe.send(("error", error))
    except Exception:  # noqa: BLE001 - the border of a process: the text must get across
        pipe.send(("crash", traceback.format_exc()))
    finally:
        # Let the parent read before the process (and gloo's threads) go.
        pipe.close()


def _die_with_parent() -> None:
    """A killed run must not leave workers that go on writing checkpoints."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
