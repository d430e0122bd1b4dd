"""Durable bytes of one computation: checkpoints, ledgers, answers so far."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.workflow.store import cache as local_cache
from pixel_core.workflow.store import layout
from pixel_core.workflow.store.lease import ProcessId, acquire
from pixel_core.workflow.store.storage import Storage, checked_name

#: Hexadecimal SHA-256 and a line feed stand before the data.
HEADER = 65


@dataclass(frozen=True)
class StoredWorkspace:
    """A ``stage.Workspace`` below one folder of a storage; picklable when the storage is.

    ``generation`` names the computation, for whatever else must not be picked up again
    after a forced re-run (a cluster job's id, for example).
    """

    storage: Storage
    folder: str
    generation: str

    def put(self, name: str, data: bytes) -> None:
        """Store atomically; raises ``StorageError``."""
        header = hashlib.sha256(data).hexdigest().encode() + b"\n"
        self.storage.write(self._path(name), header, data)

    def get(self, name: str) -> bytes | None:
        """The bytes as they were put; None when missing, cut short or changed."""
        stored = self.storage.read(self._path(name))
        if stored is None:
            return None
        data = stored[HEADER:]
        header = hashlib.sha256(data).hexdigest().encode() + b"\n"
        return data if stored[:HEADER] == header else None

    def names(self) -> list[str]:
        """Sorted names of all that was put and not deleted, damaged ones included."""
        prefix = f"{self.folder}/"
        return [entry.path.removeprefix(prefix) for entry in self.storage.entries(self.folder)]

    def delete(self, name: str) -> None:
        self.storage.delete(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self.folder}/{checked_name(name)}"


# Durable bytes that all runs of a stage in one store share, whatever their key.
#
# A workspace ends with its artifact; what was paid for must not. Notes are never cleaned up,
# and at most one run at a time may hold them.


def _patient() -> None:
    pass


@dataclass(frozen=True)
class StoredNotes(StoredWorkspace):
    """A ``stage.SharedNotes`` below one folder of a storage; picklable when the storage is.
    ``generation`` is the computation that writes: see ``owner``."""

    lease_folder: str
    #: Asked again and again while another run holds the notes; it may raise. It concerns
    #: this process alone and does not travel.
    patience: Callable[[], None] = _patient

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "patience": _patient}

    @property
    def owner(self) -> str:
        return self.generation

    def sizes(self) -> dict[str, int]:
        """Bytes of each object, by name in order; those that are damaged too."""
        prefix = f"{self.folder}/"
        return {
            entry.path.removeprefix(prefix): max(0, entry.size - HEADER)
            for entry in self.storage.entries(self.folder)
        }

    def salvage(self, name: str) -> bytes | None:
        """The bytes as they are stored, unverified; None when there are none."""
        stored = self.storage.read(self._path(name))
        return None if stored is None else stored[HEADER:]

    @contextmanager
    def hold(self, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
        """Wait until no other run holds the notes (``say`` is told of it), then hold them.

        Gives a check that raises ``LeaseLost`` once another run took over, which it does
        when this process stood still for too long.
        """

        def waiting(holder: ProcessId | None) -> None:
            who = str(holder) if holder else "another run"
            say(f"waiting for {who}, which pays for answers in this store")

        with acquire(
            self.storage, self.lease_folder, waiting=waiting, patience=self.patience
        ) as lease:
            yield lease.check


def open_notes(
    storage: Storage, stage: str, owner: str, patience: Callable[[], None] = _patient
) -> StoredNotes:
    """The notes of a stage. ``owner`` names the computation that will write to them."""
    return StoredNotes(
        storage,
        layout.notes_folder(stage),
        owner,
        layout.lease_folder(layout.NOTES, stage),
        patience,
    )


def cache_folder(storage: Storage, stage: str) -> Path:
    """A local folder for what a stage can make again: in the store where that is a folder,
    else beside the copies of its artifacts. It need not exist."""
    name = f"{layout.CACHE}/{stage}"
    return storage.local_path(name) or local_cache.cache_of(storage.uri) / stage
