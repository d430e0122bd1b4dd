"""Where bytes live: the few operations the store needs, over a local folder or S3.

Paths are relative to the root, with forward slashes. Every operation raises
``StorageError`` when the storage cannot answer; only a storage that answered "there is
no such object" gives None, so that an outage is never taken for a miss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

CHUNK = 8 << 20  #: bytes read at a time when hashing


@dataclass(frozen=True)
class StoredObject:
    """A stored object: its path from the root, its bytes, seconds since the epoch."""

    path: str
    size: int
    modified: float


@dataclass(frozen=True)
class Stamp:
    """What tells an object's content from a later one without reading it."""

    size: int
    text: str
    #: Whether a later change would surely show: not so soon after the last one.
    settled: bool = field(compare=False)


@dataclass(frozen=True)
class Content:
    """What an object holds, without holding it."""

    size: int
    sha256: str


class Storage(ABC):
    """One root. Implementations are picklable and safe to use from several threads."""

    uri: str

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """All bytes of an object; None when there is none."""

    @abstractmethod
    def write(self, path: str, *parts: bytes) -> None:
        """Store the joined parts, atomically: readers see the old bytes or the new."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Store only if nothing is there; False when something is. One of many wins."""

    @abstractmethod
    def content(self, path: str, *, every_byte: bool = False) -> Content | None:
        """Size and SHA-256 of an object; None when there is none.

        ``every_byte``: also where the storage itself keeps a digest beside the object.
        """

    def stamp(self, path: str) -> Stamp | None:
        """See ``Stamp``; None where there is no object, or no telling."""
        return None

    @abstractmethod
    def upload(self, source: Path, path: str) -> None:
        """Store a local file."""

    @abstractmethod
    def download(self, path: str, target: Path) -> bool:
        """Write an object to a local file; False when there is no such object."""

    @abstractmethod
    def entries(self, folder: str) -> list[StoredObject]:
        """Every object below a folder, at any depth, sorted by path."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove an object; one that is gone already is fine."""

    @abstractmethod
    def delete_folder(self, folder: str) -> None:
        """Remove everything below a folder."""

    def local_path(self, path: str) -> Path | None:
        """The place in this machine's file system, for a storage that is one."""
        return None


def checked_name(name: str) -> str:
    """A name that stays below its folder; anything else is refused with ``ValueError``."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or str(PurePosixPath(name)) != name
    ):
        raise ValueError(f"{name!r} is not a plain relative name such as 'step/10.pt'")
    return name
