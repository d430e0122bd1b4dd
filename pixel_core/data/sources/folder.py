"""A folder of user files, local or on S3: list, read, and identify files by content.

Everything in it is untrusted: names and links that lead out of it are refused.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from pixel_core.errors import DataError, StorageError
from pixel_core.media.file_names import Names
from pixel_core.workflow.store.local_storage import file_content
from pixel_core.workflow.store.manifest import without_credentials
from pixel_core.workflow.store.open import open_storage
from pixel_core.workflow.store.s3_storage import S3Storage
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory
from pixel_core.workflow.store.storage import Storage, checked_name

# The storage interface behind a folder.


class SourceFolder(Protocol):
    """Names passed in are plain relative names; a missing or refused one raises
    ``DataError``."""

    def files(self) -> Iterator[FolderFile]:
        """Every file at any depth, ordered by its name in UTF-8."""

    def find(self, name: str) -> FolderFile | None:
        """The file of that name; None if there is none."""

    def read(self, name: str) -> bytes: ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """The file on this machine while the block runs."""


def missing(name: str, where: str) -> DataError:
    return DataError(f"there is no file {name!r} in {where}; put it there, or mend the name")


def is_hidden(name: str) -> bool:
    """Whether any part of the path begins with a dot: such files belong to the file
    manager, not to the user."""
    return any(part.startswith(".") for part in name.split("/"))


# A folder on this machine.


#: A file changed this recently could change again with the same timestamps.
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
                # A folder sorts as "name/", like its files: the order is that of full names.
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
        """The target of a name with links resolved; refused if it is outside the folder."""
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
    except OSError:  # a name too long for this file system
        return False


def _is_file(path: Path) -> bool:
    return _exists(path) and path.is_file()


def _listed(name: str, path: Path) -> FolderFile:
    try:
        status = path.stat()
    except OSError:  # a dangling link, or just removed: reading it will raise
        return FolderFile(name, 0, "")
    if not stat.S_ISREG(status.st_mode):
        return FolderFile(name, 0, "")
    changed = max(status.st_mtime, status.st_ctime)
    settled = time.time() - changed > SETTLED_S
    times = f"{status.st_mtime_ns}-{status.st_ctime_ns}"
    stamp = f"{status.st_size}-{times}-{status.st_dev}-{status.st_ino}" if settled else ""
    return FolderFile(name, status.st_size, stamp)


# A folder of an S3 bucket, through the artifact store's own client.


#: Bytes of a file name that every file system accepts.
_LONGEST = 200


class S3Place:
    """Endpoint and credentials come from the ``AWS_*`` environment. Raises ``StorageError``
    if the service does not answer."""

    def __init__(self, storage: S3Storage) -> None:
        self._storage = storage

    def files(self) -> Iterator[FolderFile]:
        for entry, tag in self._storage.walk(""):
            yield FolderFile(entry.path, entry.size, f"{entry.size}-{entry.modified}-{tag}")

    def find(self, name: str) -> FolderFile | None:
        # Keys are listed in order, so the name itself comes before all that it is a prefix of.
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
            # Readers may depend on the suffix, and errors show the name.
            last = PurePosixPath(name).name
            path = Path(folder) / (last if len(last.encode()) <= _LONGEST else "file")
            if not self._storage.download(name, path):
                raise missing(name, self._storage.uri)
            yield path


__all__ = ["Folder", "FolderFile"]


class Folder:
    """The files below a folder's path, ``file://`` or ``s3://bucket/prefix``, at any depth.

    ``setting`` names the config field of the address, for errors. Keeps no file and no list
    of files (for a local folder, the names of one directory and its parents). Raises
    ``DataError`` for an address that is not a folder, ``StorageError`` if S3 does not answer.
    """

    def __init__(self, url: str, *, setting: str = "the folder's path") -> None:
        if not url.strip():
            raise DataError(f"{setting} is empty; set it to a folder or s3://bucket/prefix")
        try:
            storage = open_storage(url)
        except StorageError as error:
            raise DataError(without_credentials(f"{setting}: {error}")) from error
        self._place = _place(storage, setting)
        self.url = storage.uri
        self.memory = FolderMemory()
        self._names: Names | None = None

    def files(self) -> Iterator[FolderFile]:
        """Every file, ordered by its name in UTF-8, independent of where the folder is."""
        return self._place.files()

    def names(self) -> Iterator[tuple[str, int]]:
        """Name and size in bytes of every file, in the order of ``files``."""
        return ((file.name, file.size) for file in self.files())

    def find(self, name: str) -> FolderFile | None:
        """The file of that name; None if there is none. Raises ``DataError`` as ``read``."""
        return self._place.find(self._checked(name))

    def read(self, name: str) -> bytes:
        """All bytes of a file. Raises ``DataError`` if it is missing or unreadable, or if its
        name or a link on its path leads out of the folder."""
        return self._place.read(self._checked(name))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file on this machine while the block runs; read only. Raises as
        ``read``."""
        with self._place.local(self._checked(name)) as path:
            yield path

    def sha256(self, file: FolderFile) -> str:
        """Hexadecimal digest of a listed file's content. Read in chunks, and cached across runs
        while the file is unchanged. Raises as ``read``."""
        known = self.memory.get("sha256", self.url, file)
        if known is None:
            with self.local(file.name) as path:
                known = file_content(path).sha256
            self.memory.put("sha256", self.url, file, known)
        return known

    def _checked(self, name: str) -> str:
        """The name as the folder has it, which may be spelled otherwise (``file_names``)."""
        try:
            checked = checked_name(name)
        except ValueError as error:
            raise DataError(
                f"{error}, inside the folder {self.url!r}; mend the name"
            ) from error
        if checked.isascii() or self._place.find(checked) is not None:
            return checked
        if self._names is None:
            self._names = Names((file.name, None) for file in self._place.files())
        alike = self._names.find(checked)
        if len(alike) > 1:
            raise DataError(
                f"{checked!r} reads like {len(alike)} files in {self.url!r}, "
                f"{', '.join(map(ascii, alike))}; rename all but one of them"
            )
        return alike[0] if alike else checked


def _place(storage: Storage, setting: str) -> SourceFolder:
    root = storage.local_path("")
    if root is not None:
        if not root.is_dir():
            raise DataError(f"there is no folder {str(root)!r}; set {setting} to one")
        return LocalPlace(root)
    # Imported here: reading a local folder should not import the S3 client.
    from pixel_core.workflow.store.s3_storage import S3Storage

    assert isinstance(storage, S3Storage)  # all other storage is handled above
    return S3Place(storage)
