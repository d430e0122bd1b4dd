"""What a reader of one layout of a benchmark offers, and how it is found.

A reader knows one form of files: which tables hold the questions, what their columns mean,
where the pictures are. It tells what is wrong with a row and yields those that are sound. All
else (that files exist, that pictures can be read, counts, shuffling, storing) is done once
for all readers, by ``checking.py`` and ``prepare.py``.
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

# Pictures whose files stand in a table's cells.


_RESTORE = "restore the row as it was published"
_STARTS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"))


def picture_in(cell: object) -> PictureFile:
    """Of a cell that holds a picture's file as bytes, as base64, or as ``datasets`` writes it
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

    #: Unique in the benchmark; stable, for the options' order is drawn from it.
    id: str
    #: Where it stands, for errors ("test_questions.jsonl, line 3").
    place: str
    #: Without its options where ``choices`` has them.
    question: str
    #: Accepted answers, in their published order; with ``choices``: leave it to ``key``.
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    #: Which of the choices is right, 0-based; None without choices.
    key: int | None = None
    kind: str = ""
    #: Which of ``Layout.turns`` it is, as its row says.
    turn: str = ""
    is_video: bool = False
    #: Files it needs, relative to ``Reader.media``, as its row writes them: its pictures in
    #: order, or a video. (): its pictures stand in the table.
    paths: tuple[str, ...] = ()
    #: What its reader needs to find its pictures: a row's number, a part of a video.
    detail: Any = None

    @property
    def accepted(self) -> tuple[str, ...]:
        return self.answers if self.key is None else (self.choices[self.key],)


class Reader(Protocol):
    """Opened on a copy; opening raises ``DataError`` when the questions' files aren't there."""

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None: ...

    #: Where ``Item.paths`` are looked up: nothing outside of it is read.
    media: MediaFiles
    #: Whether ``pictures`` may be asked by several threads at once, and in any order.
    parallel: bool

    def tables(self) -> Sequence[Path]:
        """The files that hold the questions; with the items' files they are the content."""

    def items(self, problems: Problems) -> Iterator[Item]:
        """Every sound question, in the published order, holding none of them; may be asked
        for more than once. What is wrong with a row is added to ``problems`` with its place
        and remedy. Raises ``DataError`` for a table that can't be read, or that lacks
        columns."""

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        """The item's pictures, in order; ``files`` are its ``paths``, found. Items come in the
        order of ``items`` unless ``parallel``. Raises ``Fault`` (``vision.picture_fault``)."""


def open_reader(copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> Reader:
    module, _, name = layout.reader.partition(":")
    return getattr(import_module(module), name)(copy, layout, settings)


# What the files of a local copy hold: SHA-256, remembered by a file's stamp between runs.


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
