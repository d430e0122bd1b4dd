"""What a folder needs of the place it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pixel_core.errors import DataError
from pixel_core.workflow.store.stat_cache import FolderFile


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
