"""Train questions in a random order that adding, or asking, more of them does not change."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel_core.errors import DataError
from pixel_core.jsonl import placed_records, record_at
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
        for offset, annotation in placed_records(annotations, Annotation):
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
        return [
            Query.from_seed(record_at(self.path, Annotation, int(at)).seed)
            for at in self.offsets[start:stop]
        ]
