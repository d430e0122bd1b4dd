"""What the files of a local copy hold: SHA-256, remembered by a file's stamp between runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pixel_core.media.picture_files import PictureFile, is_settled, stamp_of
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory

_KIND = "sha256"


class FilesDigest:
    """One digest over files in their order. Use as a context manager: it writes what it
    learnt."""

    def __init__(self) -> None:
        self._memory = FolderMemory()
        self._digest = hashlib.sha256()

    def __enter__(self) -> FilesDigest:
        return self

    def __exit__(self, *unused: object) -> None:
        self._memory.flush()

    def add_tables(self, paths: Iterable[Path]) -> None:
        """Raises ``DataError`` for a file that can't be read."""
        for path in paths:
            stamp = stamp_of(path)
            listed = FolderFile(
                os.path.abspath(path),
                path.stat().st_size,
                stamp if is_settled(stamp) else "",
            )
            self._add("", listed, lambda path=path: _of_file(path))

    def add(self, file: PictureFile) -> None:
        """Raises ``Fault``, or ``OSError``."""
        stamp = file.stamp if file.settled else ""
        listed = FolderFile(file.name, file.size, stamp)
        if file.place:
            self._add(file.place, listed, lambda: hashlib.sha256(file.read()).hexdigest())
        else:
            self._add("", listed, lambda: _of_file(Path(file.name)))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def _add(self, place: str, listed: FolderFile, digest) -> None:
        known = self._memory.get(_KIND, place, listed)
        if known is None:
            known = digest()
            self._memory.put(_KIND, place, listed, known)
        self._digest.update(bytes.fromhex(known))


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
