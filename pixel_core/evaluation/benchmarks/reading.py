"""What a reader of one layout of a benchmark offers, and how it is found.

A reader knows one form of files: which tables hold the questions, what their columns mean,
where the pictures are. It tells what is wrong with a row and yields those that are sound. All
else (that files exist, that pictures can be read, counts, shuffling, storing) is done once
for all readers, by ``checking.py`` and ``prepare.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.benchmark import Layout
from pixel_core.media.picture_files import MediaFiles, PictureFile


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
