"""One computation a key among all runs that share a store.

A lease is a numbered series of objects ``<folder>/<number>``; the holder is who made the
highest. Taking over means creating the next number, which the storage lets one process do,
so two waiters cannot both win. A released object stays until the next holder removes it:
a stalled holder that wakes up later finds a higher number and knows that it lost.

The holder raises a counter while it lives. A waiter takes over when the counter stood still
for ``ttl`` seconds of the waiter's own clock (no clocks are compared), or at once when the
holder was a process of this machine that has ended.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from pydantic import BaseModel, ConfigDict, ValidationError

from pixel_core.errors import StageFailed, StorageError
from pixel_core.workflow.store.storage import Storage

# Which process this is, in a way another process can check.


class ProcessId(BaseModel):
    """A process among all machines; ``started`` tells it from a later one with its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    #: The boot and process namespace ``pid`` counts in; containers share a host name.
    scope: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_dead(self) -> bool:
        """True when it surely ended; False when it runs or cannot be seen from here."""
        if (self.host, self.scope) != (socket.gethostname(), _scope()):
            return False
        state, started = _status(self.pid)
        return state in ("", "Z", "X") or started != self.started


def this_process() -> ProcessId:
    pid = os.getpid()
    return ProcessId(
        host=socket.gethostname(), scope=_scope(), pid=pid, started=_status(pid)[1]
    )


@lru_cache
def _scope() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux: one scope a host


def _status(pid: int) -> tuple[str, str]:
    """State letter ("" for no such process) and start time in clock ticks since boot."""
    try:
        # The command's name may hold spaces and parentheses: count from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except OSError:
        if Path("/proc/self").exists():
            return "", ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "", ""
    except PermissionError:
        pass  # it runs, under another user
    return "?", ""


#: Seconds without a heartbeat after which a holder counts as gone.
TTL = 20.0
POLL = 0.5


class LeaseLost(StageFailed):
    """Another process took over while this one was stalled; its result must stand."""


class LeaseRecord(BaseModel):
    """What a lease object holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str
    process: ProcessId
    beat: int = 0
    released: bool = False


class Lease:
    """A held lease; use as a context manager, ask ``check()`` before anything final."""

    def __init__(
        self, storage: Storage, folder: str, number: int, claim: LeaseRecord, ttl: float
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._number = number
        self._claim = claim
        self._ttl = ttl
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease {folder}", daemon=True)

    def __enter__(self) -> Lease:
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._heart.join()
        try:
            if self._is_mine():
                self._write(released=True)
        except StorageError:
            if error is None:
                raise
            # What ended the work is the news; a waiter finds this process gone.

    def check(self) -> None:
        """Raise ``LeaseLost`` unless this process still holds the lease."""
        if not self._is_mine():
            raise LeaseLost(
                f"another run took over {self._folder!r} while this process stood still for "
                f"more than {self._ttl:g} s; its result is kept and this one is dropped: run "
                "again to go on from it"
            )

    @property
    def _path(self) -> str:
        return _path(self._folder, self._number)

    def _is_mine(self) -> bool:
        newest = _newest(self._storage, self._folder)
        if newest is None or newest[0] != self._number:
            return False
        claim = _parse(newest[1])
        return claim is not None and claim.token == self._claim.token

    def _write(self, **changes: int | bool) -> None:
        self._claim = self._claim.model_copy(update=changes)
        self._storage.write(self._path, self._claim.model_dump_json().encode())

    def _beat(self) -> None:
        while not self._stop.wait(self._ttl / 4):
            try:
                if not self._is_mine():
                    return
                self._write(beat=self._claim.beat + 1)
            except StorageError:
                continue  # an outage: the next beat tries again, ``check`` decides


def acquire(
    storage: Storage,
    folder: str,
    *,
    waiting: Callable[[ProcessId | None], None],
    patience: Callable[[], None] = lambda: None,
    ttl: float = TTL,
    poll: float = POLL,
) -> Lease:
    """Wait for the lease and take it; ``waiting`` is told each holder that is waited for.

    The holder is None where its claim cannot be read. ``patience`` is called at each look
    and may raise to give up, as a thread must that no Ctrl-C reaches. Raises
    ``StorageError`` when the storage fails.
    """
    seen: bytes | None = None
    seen_at = 0.0
    told: str | None = None
    while True:
        newest = _newest(storage, folder)
        number, data = newest or (0, None)
        claim = _parse(data) if data is not None else None
        if data != seen:
            seen, seen_at = data, time.monotonic()
        stale = time.monotonic() - seen_at > ttl
        if data is None or stale or (claim and (claim.released or claim.process.is_dead())):
            lease = _take(storage, folder, number + 1, ttl)
            if lease is not None:
                return lease
            continue
        holder = claim.process if claim else None
        if told != str(holder):
            told = str(holder)
            waiting(holder)
        patience()
        time.sleep(poll)


def _take(storage: Storage, folder: str, number: int, ttl: float) -> Lease | None:
    claim = LeaseRecord(token=secrets.token_hex(16), process=this_process())
    if not storage.create(_path(folder, number), claim.model_dump_json().encode()):
        return None
    lease = Lease(storage, folder, number, claim, ttl)
    if not lease._is_mine():
        # Numbers may be free again below a later holder's: that is not a win.
        storage.delete(_path(folder, number))
        return None
    for older in _numbers(storage, folder):
        if older < number:
            storage.delete(_path(folder, older))
    return lease


def _path(folder: str, number: int) -> str:
    return f"{folder}/{number:08d}.json"


def _numbers(storage: Storage, folder: str) -> list[int]:
    names = (entry.path.rpartition("/")[2] for entry in storage.entries(folder))
    stems = (name.removesuffix(".json") for name in names)
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _newest(storage: Storage, folder: str) -> tuple[int, bytes] | None:
    """The highest number and its bytes; None when the lease was never taken."""
    while numbers := _numbers(storage, folder):
        data = storage.read(_path(folder, numbers[-1]))
        if data is not None:
            return numbers[-1], data
    return None


def _parse(data: bytes) -> LeaseRecord | None:
    try:
        return LeaseRecord.model_validate_json(data)
    except ValidationError:
        return None
