"""Which split a record belongs to, when it does not say."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.config import SplitShares
from pixel_core.records import Split


@dataclass(frozen=True, slots=True)
class Placed:
    """A record as the splitter sees it: ``split`` is None when the record names none."""

    id: str
    pictures: tuple[str, ...]
    split: Split | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Records (by position) that share pictures and name different splits."""

    first: int
    second: int


def assign(
    records: Sequence[Placed], shares: SplitShares
) -> tuple[list[Split], list[Conflict]]:
    """A split for each record, and the conflicts.

    Records that share a picture, directly or through others, stand together: a picture
    seen in training must not be asked about in the test. A group goes where one of its
    records says, else where the hash of its smallest id falls, so that adding unrelated
    records moves nobody.
    """
    groups = _groups(records)
    splits: list[Split] = [Split.TRAIN] * len(records)
    conflicts: list[Conflict] = []
    for members in groups:
        named: Split | None = None
        namer = -1
        for index in members:
            own = records[index].split
            if own is None:
                continue
            if named is None:
                named, namer = own, index
            elif own is not named:
                conflicts.append(Conflict(namer, index))
        chosen = named or by_hash(min(records[index].id for index in members), shares)
        for index in members:
            splits[index] = records[index].split or chosen
    return splits, conflicts


def by_hash(id: str, shares: SplitShares) -> Split:
    """The split an id falls into, uniform over ids."""
    digest = hashlib.sha256(f"split/{id}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    if point < shares.test:
        return Split.TEST
    if point < shares.test + shares.validation:
        return Split.VALIDATION
    return Split.TRAIN


def _groups(records: Sequence[Placed]) -> list[list[int]]:
    """Positions of records connected by shared pictures, in order of first appearance."""
    parent = list(range(len(records)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_use: dict[str, int] = {}
    for index, record in enumerate(records):
        for picture in record.pictures:
            one, other = root(first_use.setdefault(picture, index)), root(index)
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for index in range(len(records)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())
