"""A folder as storage: atomic through rename, durable through fsync."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixel_core.errors import StorageError
from pixel_core.workflow.store.storage import CHUNK, Content, Stamp, Storage, StoredObject

#: Half-written files are kept here, apart from what readers list.
TEMPORARY = "tmp"
#: A file changed this recently could change again without showing it in its times: those of
#: some file systems have steps of two seconds.
SETTLED_NS = 3 * 10**9


class LocalStorage(Storage):
    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.uri = str(self.root)

    def read(self, path: str) -> bytes | None:
        with self._errors("read", path):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, path: str, *parts: bytes) -> None:
        target = self.root / path
        with self._errors("write", path), self._temporary(*parts) as temporary:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
            sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> bool:
        target = self.root / path
        with self._errors("create", path), self._temporary(data) as temporary:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # A link appears with its whole content, or not at all.
                os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                    raise
                return _create_without_link(target, data)
            sync_folder(target.parent)
            return True

    def content(self, path: str, *, every_byte: bool = False) -> Content | None:
        with self._errors("read", path):
            try:
                return file_content(self.root / path)
            except FileNotFoundError:
                return None

    def stamp(self, path: str) -> Stamp | None:
        """Size, times, device and inode. The time of change (ctime) is among them: no program
        can set it, so a file whose time of writing was put back is still another."""
        with self._errors("read", path):
            try:
                # Opened first: a network file system then asks its server.
                with (self.root / path).open("rb") as file:
                    status = os.fstat(file.fileno())
            except FileNotFoundError:
                return None
        changed = max(status.st_mtime_ns, status.st_ctime_ns)
        return Stamp(
            status.st_size,
            f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_dev}-{status.st_ino}",
            settled=time.time_ns() - changed > SETTLED_NS,
        )

    def upload(self, source: Path, path: str) -> None:
        target = self.root / path
        with self._errors("write", path), self._temporary() as temporary:
            shutil.copyfile(source, temporary)
            sync_file(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
            sync_folder(target.parent)

    def download(self, path: str, target: Path) -> bool:
        with self._errors("read", path):
            try:
                shutil.copyfile(self.root / path, target)
            except FileNotFoundError:
                return False
            return True

    def entries(self, folder: str) -> list[StoredObject]:
        found = []
        with self._errors("list", folder):
            self._refuse_other_root()
            for path in (self.root / folder).rglob("*"):
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue  # another run removed it while we looked
                if not path.is_dir():
                    name = path.relative_to(self.root).as_posix()
                    found.append(StoredObject(name, status.st_size, status.st_mtime))
        return sorted(found, key=lambda entry: entry.path)

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            (self.root / path).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        with self._errors("delete", folder):
            self._refuse_other_root()
            remove_tree(self.root / folder)

    def local_path(self, path: str) -> Path:
        return self.root / path

    def _refuse_other_root(self) -> None:
        """Python's walks find nothing below a file; a store there is a mistake, not empty."""
        if self.root.exists() and not self.root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.uri)

    @contextmanager
    def _temporary(self, *parts: bytes) -> Iterator[Path]:
        folder = self.root / TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / secrets.token_hex(8)
        try:
            with temporary.open("wb") as out:
                for part in parts:
                    out.write(part)
                out.flush()
                os.fsync(out.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _errors(self, action: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot {action} {path!r} in the store {self.uri}: {error}; check that the "
                "folder exists, is writable and has free space, or choose another --store"
            ) from error


def file_content(path: Path) -> Content:
    """Size in bytes and SHA-256 of a local file."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Content(size, digest.hexdigest())


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it; parts that are gone already are fine."""
    while folder.is_dir():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # someone else removes it too: look again


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the file system lets a folder be synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _create_without_link(target: Path, data: bytes) -> bool:
    """For file systems without hard links; a reader may see the file before its bytes."""
    try:
        with target.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        return False
    return True
