"""The interface of a reader of one benchmark layout, and how to find one.

A reader knows one file layout: which tables hold the questions, what their columns mean, where
the pictures are. It reports faulty rows and yields the valid ones. Everything else (existence
of files, readable pictures, counts, shuffling, storage) is done once for all readers, by
``checking.py`` and ``prepare.py``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.media.picture_files import (
    MAX_FILE_BYTES,
    MediaFiles,
    PictureFile,
    embedded,
    is_settled,
    stamp_of,
)
from pixel_core.media.picture_zip import PictureFault
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory

# Pictures stored in a table's cells.


_RESTORE = "restore the row as it was published"
_STARTS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"))


def picture_in(cell: object) -> PictureFile:
    """The picture in a cell: its file as bytes, as base64, or as ``datasets`` writes it
    ({"bytes", "path"}). Raises ``PictureFault`` for anything else."""
    if isinstance(cell, dict):
        cell = cell.get("bytes")
    if isinstance(cell, str):
        if len(cell) > MAX_FILE_BYTES:
            raise PictureFault(f"has {len(cell)} characters", f"keep it under {MAX_FILE_BYTES}")
        try:
            cell = base64.b64decode(cell, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PictureFault(f"is not base64 ({error})", _RESTORE) from error
    if not isinstance(cell, bytes) or not cell:
        raise PictureFault("holds no picture", _RESTORE)
    suffix = next((suffix for start, suffix in _STARTS if cell.startswith(start)), "")
    return embedded(cell, f"picture{suffix}")


@dataclass(frozen=True)
class Item:
    """One question as published, options in their published order."""

    #: Unique in the benchmark, and stable: the options' order is drawn from it.
    id: str
    #: Its location, for errors ("test_questions.jsonl, line 3").
    place: str
    #: Without the options if they are in ``choices``.
    question: str
    #: Accepted answers, in published order; with ``choices``, leave it to ``key``.
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    #: Index of the right choice; None without choices.
    key: int | None = None
    kind: str = ""
    #: Its number among ``Layout.turns``, as its row says.
    turn: str = ""
    is_video: bool = False
    #: Files it needs, as its row writes them, relative to ``Reader.media``: its pictures in
    #: order, or a video. (): its pictures are in the table.
    paths: tuple[str, ...] = ()
    #: The reader's own data to find its pictures: a row number, a part of a video.
    detail: Any = None

    @property
    def accepted(self) -> tuple[str, ...]:
        return self.answers if self.key is None else (self.choices[self.key],)


class Reader(Protocol):
    """Opened on a copy; opening raises ``DataError`` if the questions' files are missing."""

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None: ...

    #: Root of ``Item.paths``; nothing outside it is read.
    media: MediaFiles
    #: Whether ``pictures`` may be called by several threads at once, and in any order.
    parallel: bool

    def tables(self) -> Sequence[Path]:
        """The questions' files; together with the items' files they are the content."""

    def items(self, problems: Problems) -> Iterator[Item]:
        """Every valid question, in published order, streamed; may be called more than once.
        Faults of a row are added to ``problems`` with place and remedy. Raises ``DataError``
        for a table that can't be read or lacks columns."""

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        """The item's pictures, in order; ``files`` are its ``paths``, resolved. Items come in
        ``items`` order unless ``parallel``. Raises ``PictureFault``."""


def open_reader(copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> Reader:
    module, _, name = layout.reader.partition(":")
    return getattr(import_module(module), name)(copy, layout, settings)


# Content of a local copy's files: SHA-256, cached between runs by a file's stamp.


_KIND = "sha256"


class FilesDigest:
    """One digest over files in order. A context manager: on exit it saves the digests
    computed."""

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
        """Raises ``PictureFault``, or ``OSError``."""
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
