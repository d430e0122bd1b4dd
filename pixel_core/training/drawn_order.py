"""Train questions in a random order that adding, or asking, more of them does not change."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import ValidationError

from pixel_core.errors import DataError
from pixel_core.records import Annotation, Query, Split


@dataclass(frozen=True)
class DrawnOrder:
    """Where each train annotation begins in its file, in the order drawn. Picklable; holds
    8 bytes a question and reads the question itself when it is asked for."""

    path: Path
    offsets: np.ndarray

    @classmethod
    def of(cls, annotations: Path, stream: str) -> DrawnOrder:
        """The train questions of ``annotations.jsonl``. Each one's place is drawn by its own
        id from the named stream, so that it stays before or after each other one.
        ``DataError`` when there is none."""
        places, offsets = array("Q"), array("Q")
        for offset, annotation in _annotations(annotations):
            if annotation.seed.split is Split.TRAIN and annotation.seed.asks:
                name = f"{stream}/{annotation.seed.id}".encode()
                places.append(int.from_bytes(hashlib.sha256(name).digest()[:8], "big"))
                offsets.append(offset)
        if not offsets:
            raise DataError(f"{annotations} has no train question; check ingest's counts")
        order = np.argsort(np.array(places, np.uint64), kind="stable")
        return cls(annotations, np.array(offsets, np.int64)[order])

    def __len__(self) -> int:
        return len(self.offsets)

    def queries(self, start: int, stop: int) -> list[Query]:
        """Those at the places from ``start`` up to, not including, ``stop``."""
        with self.path.open("rb") as lines:
            return [self._query(lines, int(at)) for at in self.offsets[start:stop]]

    def _query(self, lines: BinaryIO, offset: int) -> Query:
        lines.seek(offset)
        return Query.from_seed(_annotation(self.path, offset, lines.readline()).seed)


def _annotations(path: Path) -> Iterator[tuple[int, Annotation]]:
    offset = 0
    with path.open("rb") as lines:
        for line in lines:
            yield offset, _annotation(path, offset, line)
            offset += len(line)


def _annotation(path: Path, offset: int, line: bytes) -> Annotation:
    try:
        return Annotation.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{path}, byte {offset}: not an annotation: {error}") from error
