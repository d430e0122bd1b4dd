"""Random access to records of a JSONL file, by the byte offset of their line.

For files with too many records to hold: memory takes a few bytes per record, the rest is read
on demand. numpy is imported when an index is built, so planning stays quick.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from pixel_core.errors import DataError
from pixel_core.records import Record

R = TypeVar("R", bound=Record)


def placed_records(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """Every record with its line's byte offset. ``DataError`` for a bad line."""
    offset = 0
    with path.open("rb") as lines:
        for line in lines:
            yield offset, _parsed(path, kind, offset, line)
            offset += len(line)


def record_at(path: Path, kind: type[R], offset: int) -> R:
    """The record whose line begins at this byte."""
    with path.open("rb") as lines:
        lines.seek(offset)
        return _parsed(path, kind, offset, lines.readline())


class RecordIndex(Generic[R]):
    """Finds a file's records by their name; holds 16 bytes per record."""

    def __init__(self, path: Path, kind: type[R], name_of: Callable[[R], str]) -> None:
        import numpy as np

        self._path = path
        self._kind = kind
        self._name_of = name_of
        hashes, offsets = array("Q"), array("Q")
        for offset, record in placed_records(path, kind):
            hashes.append(_hash(name_of(record)))
            offsets.append(offset)
        order = np.argsort(np.array(hashes, np.uint64), kind="stable")
        self._hashes = np.array(hashes, np.uint64)[order]
        self._offsets = np.array(offsets, np.uint64)[order]

    def __len__(self) -> int:
        return len(self._offsets)

    def named(self, name: str) -> list[R]:
        """All records of that name, in the file's order."""
        wanted = self._hashes.dtype.type(_hash(name))
        first = int(self._hashes.searchsorted(wanted, "left"))
        last = int(self._hashes.searchsorted(wanted, "right"))
        found = [
            record_at(self._path, self._kind, int(self._offsets[place]))
            for place in range(first, last)
        ]
        return [record for record in found if self._name_of(record) == name]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _parsed(path: Path, kind: type[R], offset: int, line: bytes) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{path}, byte {offset}: not a {kind.__name__}: {error}") from error
