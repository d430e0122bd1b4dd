"""A folder of this machine."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixel_core.data.sources.folder_place import missing
from pixel_core.errors import DataError
from pixel_core.workflow.store.stat_cache import FolderFile

#: A file changed this recently could change again without showing it in its times.
SETTLED_S = 2.0


class LocalPlace:
    """Links to files are followed while they stay inside; links to folders are not."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def files(self) -> Iterator[FolderFile]:
        return self._below(self.root, "")

    def find(self, name: str) -> FolderFile | None:
        path = self._inside(name)
        return _listed(name, path) if _is_file(path) else None

    def read(self, name: str) -> bytes:
        path = self._file(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._unreadable(name, error) from error

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        yield self._file(name)

    def _below(self, folder: Path, prefix: str) -> Iterator[FolderFile]:
        try:
            with os.scandir(folder) as found:
                # A folder sorts as its files do: by "name/", so that order is that of names.
                entries = sorted(
                    (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name)
                    for entry in found
                )
        except OSError as error:
            raise self._unreadable(prefix or ".", error) from error
        for name in entries:
            path = folder / name
            if name.endswith("/"):
                yield from self._below(path, prefix + name)
            else:
                yield _listed(prefix + name, path)

    def _file(self, name: str) -> Path:
        path = self._inside(name)
        if not _exists(path):
            raise missing(name, str(self.root))
        if not path.is_file():
            raise DataError(f"{name!r} in {self.root} is no plain file; put a file there")
        return path

    def _inside(self, name: str) -> Path:
        """Where a name leads, links followed; refused when that is outside the folder."""
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError) as error:  # a loop of links
            raise DataError(f"{name!r} in {self.root} can't be followed: {error}") from error
        if not path.is_relative_to(self.root):
            raise DataError(
                f"{name!r} leads out of the folder {self.root} through a link; put the file "
                "itself into the folder"
            )
        return path

    def _unreadable(self, name: str, error: OSError) -> DataError:
        return DataError(
            f"{name!r} in {self.root} can't be read ({error.strerror}); mend its permissions"
        )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any that a file here can have
        return False


def _is_file(path: Path) -> bool:
    return _exists(path) and path.is_file()


def _listed(name: str, path: Path) -> FolderFile:
    try:
        status = path.stat()
    except OSError:  # a link to nothing, or removed meanwhile: reading it will tell
        return FolderFile(name, 0, "")
    if not stat.S_ISREG(status.st_mode):
        return FolderFile(name, 0, "")
    changed = max(status.st_mtime, status.st_ctime)
    settled = time.time() - changed > SETTLED_S
    times = f"{status.st_mtime_ns}-{status.st_ctime_ns}"
    stamp = f"{status.st_size}-{times}-{status.st_dev}-{status.st_ino}" if settled else ""
    return FolderFile(name, status.st_size, stamp)
