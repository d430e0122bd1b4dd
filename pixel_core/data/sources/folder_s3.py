"""A folder of an S3 bucket, through the artifact store's own client."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pixel_core.data.sources.folder_place import missing
from pixel_core.workflow.store.s3_storage import S3Storage
from pixel_core.workflow.store.stat_cache import FolderFile

#: Bytes of a file's name that every file system takes.
_LONGEST = 200


class S3Place:
    """Endpoint and credentials come from the ``AWS_*`` environment. Raises ``StorageError``
    when the service does not answer."""

    def __init__(self, storage: S3Storage) -> None:
        self._storage = storage

    def files(self) -> Iterator[FolderFile]:
        for entry, tag in self._storage.walk(""):
            yield FolderFile(entry.path, entry.size, f"{entry.size}-{entry.modified}-{tag}")

    def find(self, name: str) -> FolderFile | None:
        # Keys come in order, so the name itself is the first of all that begin with it.
        for entry, tag in self._storage.walk("", starting=name):
            if entry.path == name:
                return FolderFile(name, entry.size, f"{entry.size}-{entry.modified}-{tag}")
            break
        return None

    def read(self, name: str) -> bytes:
        data = self._storage.read(name)
        if data is None:
            raise missing(name, self._storage.uri)
        return data

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="pixel-") as folder:
            # What reads the file may go by its ending, and tells people of its name.
            last = PurePosixPath(name).name
            path = Path(folder) / (last if len(last.encode()) <= _LONGEST else "file")
            if not self._storage.download(name, path):
                raise missing(name, self._storage.uri)
            yield path
