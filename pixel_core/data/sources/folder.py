"""A folder of a user's files, on this machine or on S3: listed, read, told apart by content.

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

# What a folder needs of the place it lies in.


class SourceFolder(Protocol):
    """Names given to it are plain relative names; a missing or refused one is a
    ``DataError``."""

    def files(self) -> Iterator[FolderFile]:
        """Every file at any depth, ordered by its name in UTF-8."""

    def find(self, name: str) -> FolderFile | None:
        """The file of that name; None when there is none."""

    def read(self, name: str) -> bytes: ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """The file on this machine while the block runs."""


def missing(name: str, where: str) -> DataError:
    return DataError(f"there is no file {name!r} in {where}; put it there, or mend the name")


def is_hidden(name: str) -> bool:
    """Whether a file or a folder on its way has a name that begins with a dot: those are
    the file manager's, not the user's."""
    return any(part.startswith(".") for part in name.split("/"))


# A folder of this machine.


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


# A folder of an S3 bucket, through the artifact store's own client.


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


__all__ = ["Folder", "FolderFile"]


class Folder:
    """The files below a folder's path, ``file://`` or ``s3://bucket/prefix``, at any depth.

    ``setting`` names what the address was set with, for the errors. Holds no file and no
    list of them (of a local folder, the names of one directory and its parents). Raises
    ``DataError`` for an address that is no folder, ``StorageError`` when S3 does not answer.
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
        """Every file, ordered by its name in UTF-8: the same wherever the folder lies."""
        return self._place.files()

    def names(self) -> Iterator[tuple[str, int]]:
        """Every file's name and bytes, ordered as ``files``."""
        return ((file.name, file.size) for file in self.files())

    def find(self, name: str) -> FolderFile | None:
        """The file of that name; None when there is none. Raises ``DataError`` as ``read``."""
        return self._place.find(self._checked(name))

    def read(self, name: str) -> bytes:
        """All bytes of a file. Raises ``DataError`` when it is missing or unreadable, or its
        name or a link on its way leads out of the folder."""
        return self._place.read(self._checked(name))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file on this machine for as long as the block runs; read only. Raises as
        ``read``."""
        with self._place.local(self._checked(name)) as path:
            yield path

    def sha256(self, file: FolderFile) -> str:
        """Hexadecimal digest of a listed file's content. Read in chunks, and only once while
        the file stays as it is: also by later runs. Raises as ``read``."""
        known = self.memory.get("sha256", self.url, file)
        if known is None:
            with self.local(file.name) as path:
                known = file_content(path).sha256
            self.memory.put("sha256", self.url, file, known)
        return known

    def _checked(self, name: str) -> str:
        """The name as the folder has it, which may be written otherwise (``file_names``)."""
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
    # Imported here: a local folder's reader should not pay for the S3 client's import.
    from pixel_core.workflow.store.s3_storage import S3Storage

    assert isinstance(storage, S3Storage)  # all other storage has a place here
    return S3Place(storage)
