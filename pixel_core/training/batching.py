"""Which items a step takes: shuffled epochs, computed from the step alone."""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from pixel_core.errors import DataError
from pixel_core.jsonl import placed_records, record_at
from pixel_core.records import Annotation, Query, Split

# Train questions in a random order that adding, or asking, more of them does not change.


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


# What is computed in one pass: many tokens at once, rows of similar length together.


T = TypeVar("T")

#: Of one pass. Fewer are more and smaller products; the activations of more leave the cache.
_TOKENS = 2048


def by_length(
    items: Sequence[T], length: Callable[[T], int], most: int = _TOKENS
) -> Iterator[list[T]]:
    """Split into groups of at most ``most`` tokens, in the order of their lengths (stable);
    an item that is longer is a group of its own."""
    group: list[T] = []
    tokens = 0
    for item in sorted(items, key=length):
        if group and tokens + length(item) > most:
            yield group
            group, tokens = [], 0
        group.append(item)
        tokens += length(item)
    if group:
        yield group


class Order:
    """Shuffled epochs over ``count`` items; the position follows from the step."""

    def __init__(self, count: int, batch: int, stream: str) -> None:
        if count < 1:
            raise ValueError("there is nothing to put in order")
        self.count = count
        self.batch = batch
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self._stream = stream

    def at(self, step: int) -> list[int]:
        """The indices of a step's batch; it may reach into the next epoch."""
        places = range(step * self.batch, (step + 1) * self.batch)
        return [self._epoch(place // self.count)[place % self.count] for place in places]

    def _shuffled(self, epoch: int) -> list[int]:
        items = list(range(self.count))
        random.Random(f"{self._stream}/epoch {epoch}").shuffle(items)
        return items
