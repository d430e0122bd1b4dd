"""Durable bytes of one computation: checkpoints, ledgers, answers so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

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
