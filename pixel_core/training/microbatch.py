"""Batches of similar length: padding costs as much as tokens do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: The longest of a micro-batch is at most this many times its shortest.
_SPREAD = 1.25


def by_length(
    items: Sequence[T], length: Callable[[T], int], limit: int = 64
) -> Iterator[list[T]]:
    """Split into groups of similar length, at most ``limit`` in each; stable order."""
    group: list[T] = []
    for item in sorted(items, key=length):
        if group and (length(item) > _SPREAD * length(group[0]) or len(group) == limit):
            yield group
            group = []
        group.append(item)
    if group:
        yield group
