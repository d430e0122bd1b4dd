"""Assigns a record to a split: as stated, or with the pictures it shares, or by its id.

A million records take some tens of bytes each: shared pictures are found by sorting numbers,
and ids and places wait in a file until an error or a tie needs them.
"""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.records import Split

if TYPE_CHECKING:
    import numpy as np

SPLITS = tuple(Split)

#: The number of a record that names no split.
_UNNAMED = len(SPLITS)


@dataclass(frozen=True, slots=True)
class ConflictingPair:
    """Two records (by their order) that exclude each other."""

    first: int
    second: int


def by_hash(id: str, shares: SplitShares) -> Split:
    """The split for an id, uniform over ids."""
    digest = hashlib.sha256(f"split/{id}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    if point < shares.test:
        return Split.TEST
    if point < shares.test + shares.validation:
        return Split.VALIDATION
    return Split.TRAIN


class SplitBook:
    """Collects records one by one, then reports duplicates, conflicts and splits.

    Use as a context manager: ids and places are in a temporary file.
    """

    def __init__(self, shares: SplitShares) -> None:
        self._shares = shares
        self._names = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._ends = array("Q", [0])
        self._hashes = array("Q")
        self._named = array("B")
        self._pictures = array("Q")
        self._users = array("I")

    def __enter__(self) -> SplitBook:
        return self

    def __exit__(self, *unused: object) -> None:
        self._names.close()

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, id: str, place: str, pictures: Iterable[str], split: Split | None) -> None:
        """``pictures``: the SHA-256 of each, in hexadecimal. ``split``: None when unnamed."""
        index = len(self)
        name = id.encode("utf-8", "surrogatepass")
        self._hashes.append(_short(hashlib.sha256(name).digest()))
        name = place.encode("utf-8", "surrogateescape") + b"\0" + name
        self._names.write(name)
        self._ends.append(self._ends[-1] + len(name))
        self._named.append(_UNNAMED if split is None else SPLITS.index(split))
        for picture in pictures:
            # Eight bytes: a collision among a million pictures has a chance of one in 10^7,
            # and would merely keep two of them in one split.
            self._pictures.append(_short(bytes.fromhex(picture)))
            self._users.append(index)

    def id(self, index: int) -> str:
        return self._read(index)[0]

    def place(self, index: int) -> str:
        return self._read(index)[1]

    def named(self, index: int) -> Split | None:
        number = self._named[index]
        return None if number == _UNNAMED else SPLITS[number]

    def doubles(self) -> Iterator[ConflictingPair]:
        """Each record with a duplicate id, paired with the first that has the id, in order."""
        import numpy as np

        hashes = np.frombuffer(self._hashes, np.uint64)
        order = np.argsort(hashes, kind="stable")
        found: list[ConflictingPair] = []
        for members in _runs(hashes[order], order):
            firsts: dict[str, int] = {}
            for index in members:
                first = firsts.setdefault(self.id(index), index)
                if first != index:
                    found.append(ConflictingPair(first, index))
        yield from sorted(found, key=lambda pair: pair.second)

    def settle(self) -> tuple[bytearray, list[ConflictingPair]]:
        """An index into ``SPLITS`` for each record, and the pairs that share pictures but
        state different splits.

        Records that share a picture, directly or through others, form a group: a picture seen
        in training must not be tested on. A group goes to the split its records state, else
        to the one given by the hash of its smallest id, so that adding unrelated records moves
        no group.
        """
        splits = bytearray(len(self))
        conflicts: list[ConflictingPair] = []
        for members in self._groups():
            named, namer = _UNNAMED, -1
            for index in members:
                own = self._named[index]
                if own == _UNNAMED:
                    continue
                if named == _UNNAMED:
                    named, namer = own, index
                elif own != named:
                    conflicts.append(ConflictingPair(namer, index))
            if named == _UNNAMED:
                smallest = min(self.id(index) for index in members)
                named = SPLITS.index(by_hash(smallest, self._shares))
            for index in members:
                own = self._named[index]
                splits[index] = named if own == _UNNAMED else own
        return splits, sorted(conflicts, key=lambda pair: pair.second)

    def _groups(self) -> Iterator[Sequence[int]]:
        """Records connected by shared pictures, each group in the records' order."""
        import numpy as np
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        if not len(self):
            return
        users = np.frombuffer(self._users, np.uint32)
        numbers = np.unique(np.frombuffer(self._pictures, np.uint64), return_inverse=True)[1]
        side = len(self) + (int(numbers.max()) + 1 if len(numbers) else 0)
        ones = np.ones(len(users), np.int8)
        graph = coo_matrix((ones, (users, len(self) + numbers)), shape=(side, side))
        labels = connected_components(graph, directed=False)[1][: len(self)]
        order = np.argsort(labels, kind="stable")
        yield from _runs(labels[order], order, alone=True)

    def _read(self, index: int) -> tuple[str, str]:
        start, end = self._ends[index], self._ends[index + 1]
        self._names.seek(start)
        place, _, id = self._names.read(end - start).partition(b"\0")
        return id.decode("utf-8", "surrogatepass"), place.decode("utf-8", "surrogateescape")


def _runs(values: np.ndarray, order: np.ndarray, alone: bool = False) -> Iterator[list[int]]:
    """The members of ``order`` for each run of equal ``values``; of one only if ``alone``."""
    import numpy as np

    borders = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = np.concatenate([[0], borders, [len(values)]])
    if not alone:
        long = np.flatnonzero(np.diff(edges) > 1)
        for place in long.tolist():
            yield order[edges[place] : edges[place + 1]].tolist()
        return
    for start, end in pairwise(edges.tolist()):
        yield order[start:end].tolist()


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "little")


def settle(book: SplitBook, problems: Problems, shared: str) -> bytearray:
    """An index into ``SPLITS`` for each record; id and split conflicts are reported.
    ``shared`` is what records of one split may share ("page", "video")."""
    for pair in book.doubles():
        problems.add(
            book.place(pair.second),
            "id",
            book.id(pair.second),
            f"was used at {book.place(pair.first)} (records without one get it from what "
            "they ask)",
            "give each record its own id",
        )
    splits, conflicts = book.settle()
    for pair in conflicts:
        problems.add(
            book.place(pair.second),
            "split",
            book.named(pair.second),
            f'is not "{book.named(pair.first)}" as at {book.place(pair.first)}, which asks '
            f"about the same {shared}",
            f"put records about one {shared} into one split",
        )
    return splits
