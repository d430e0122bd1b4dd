"""Stores every paid answer before it is used; nothing is ever asked twice.

The source of truth is immutable segments (``segments.py``) in the stage's shared notes.
Answers that arrive while a segment is being written go into the next one together; each
caller returns once its own answer is durable. ``LedgerIndex`` finds answers; it is filled
from the segments where it is missing or behind.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from pixel_core.data.annotation.ledger import segments as compaction
from pixel_core.data.annotation.ledger.index import INDEX, SEGMENTS, in_step
from pixel_core.data.annotation.ledger.ledger_index import (
    RESERVED,
    LedgerIndex,
    RecordedAnswer,
    Totals,
    remove_files,
)
from pixel_core.data.annotation.ledger.segments import Facts, LedgerEntry, pack_all
from pixel_core.errors import PixelError, StorageError
from pixel_core.workflow.stage import Progress, SharedNotes, SilentProgress
from pixel_core.workflow.store.layout import new_id

#: Approximate size of a segment in bytes; what arrives beyond waits for the next.
_FULL = 16 << 20
#: Seconds between checks that we still hold the notes.
_CHECK_S = 5.0

Group = list[tuple[Sequence[LedgerEntry], "Future[None]"]]


@contextmanager
def open_ledger(
    notes: SharedNotes, cache: Path | None, progress: Progress | None = None
) -> Iterator[Ledger]:
    """Lock the notes and open the ledger in them; waits while another run holds them.

    ``cache``: a folder for the index; None keeps it in memory. Raises ``StorageError``, and
    what the notes' ``patience`` raises.
    """
    progress = progress or SilentProgress()
    with notes.hold(progress.note) as check:
        ledger = Ledger(notes, cache, progress, check)
        try:
            yield ledger
        finally:
            ledger.close()


class Ledger:
    """See ``open_ledger``. Thread-safe."""

    def __init__(
        self,
        notes: SharedNotes,
        cache: Path | None,
        progress: Progress,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._notes = notes
        self._path = None if cache is None else cache / INDEX
        self._progress = progress
        self._check = check
        self._checked = time.monotonic()
        self._index, self._sizes = in_step(notes, self._path, progress)
        self._sizing = threading.Lock()
        self._arrived: queue.SimpleQueue[tuple[Sequence[LedgerEntry], Future[None]] | None]
        self._arrived = queue.SimpleQueue()
        self._compactor: threading.Thread | None = None
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    @property
    def owner(self) -> str:
        """The computation that currently pays."""
        return self._notes.owner

    def recall(self, digest: bytes) -> bytes | None:
        """The body of the answer to the request with this digest; None: never answered."""
        found = self.find(digest)
        return None if found is None else found.body

    def find(self, digest: bytes) -> RecordedAnswer | None:
        """As ``recall``, with what the answer cost and who paid."""
        try:
            return self._index.find(digest)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def totals(self, *, owner: str = "", model: str = "", task: str = "") -> Totals:
        """Sums over the answers on record; "" for any."""
        return self._index.totals(owner=owner, model=model, task=task)

    def unsettled(self, *, owner: str) -> int:
        """Picodollars that this owner has reserved and not settled."""
        return max(0, self._index.totals(owner=owner, task=RESERVED).price)

    def record(self, digest: bytes, body: bytes, facts: Facts) -> None:
        """Store an answer; returns once it is durable.

        Raises ``StorageError``, and ``LeaseLost`` (the answer is stored all the same) once
        another run has taken the notes over.
        """
        self.submit([LedgerEntry(digest, body, facts)]).result()

    def submit(self, entries: Sequence[LedgerEntry]) -> Future[None]:
        """Store answers; the future is done, or fails as ``record``, once all are durable."""
        if self._closed:
            raise ValueError("the ledger is closed")
        done: Future[None] = Future()
        self._arrived.put((entries, done))
        return done

    def close(self) -> None:
        """Write what has arrived and release the index."""
        if not self._closed:
            self._closed = True
            self._arrived.put(None)
            self._writer.join()
            if self._compactor is not None:
                self._compactor.join()
            self._index.close()

    def _write(self) -> None:
        last = False
        while not last:
            group, last = self._gathered()
            if not group:
                continue
            error = self._stored([entry for entries, _ in group for entry in entries])
            for _, done in group:
                if not done.set_running_or_notify_cancel():
                    continue  # the caller left; the answer is kept
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _gathered(self) -> tuple[Group, bool]:
        """All that has arrived (waits for the first), and whether the ledger is closing."""
        group: Group = []
        size = 0
        item = self._arrived.get()
        while item is not None:
            group.append(item)
            size += sum(len(entry.body) for entry in item[0])
            if size > _FULL:
                return group, False
            try:
                item = self._arrived.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _stored(self, entries: Sequence[LedgerEntry]) -> Exception | None:
        """Make the answers durable; an error is returned, for those who wait for them."""
        try:
            name, data = f"{SEGMENTS}{new_id()}", pack_all(entries)
            self._notes.put(name, data)
            self._index.add(name, entries)
            with self._sizing:
                self._sizes[name] = len(data)
            if time.monotonic() - self._checked > _CHECK_S:
                self._check()
                self._checked = time.monotonic()
            self._keep_compact()
        except sqlite3.DatabaseError as error:
            return self._unusable(error)
        except Exception as error:  # noqa: BLE001 - raised to the waiting callers
            return error
        return None

    def _keep_compact(self) -> None:
        if self._compactor is not None and self._compactor.is_alive():
            return
        with self._sizing:
            names = compaction.choose(self._sizes)
        if names:
            self._compactor = threading.Thread(
                target=self._compact, args=(names,), name="ledger compaction", daemon=True
            )
            self._compactor.start()

    def _compact(self, names: Sequence[str]) -> None:
        try:
            data, replaced, damaged = compaction.merged(self._notes, names)
            if replaced:
                new = f"{SEGMENTS}{new_id()}"
                self._notes.put(new, data)
                self._index.replace(replaced, new)
                with self._sizing:
                    self._sizes[new] = len(data)
            for name in replaced:
                self._notes.delete(name)
        except (PixelError, sqlite3.DatabaseError) as error:
            # Nothing is lost; if the storage is down, the next answer reports it too.
            self._progress.note(f"answers on record could not be merged: {error}")
            replaced, damaged = [], list(names)
        with self._sizing:
            for name in (*replaced, *damaged):
                self._sizes.pop(name, None)

    def _unusable(self, error: sqlite3.DatabaseError) -> StorageError:
        if self._path is None:
            return StorageError(f"the index of answers in memory failed: {error}")
        if not isinstance(error, sqlite3.OperationalError):
            remove_files(self._path)
        return StorageError(
            f"the index of answers {self._path} can't be used: {error}; check that its folder "
            "is writable and has free space, and run again: it is made anew, no answer is lost"
        )


__all__ = ["Facts", "Ledger", "LedgerIndex", "open_ledger"]
