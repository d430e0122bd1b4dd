"""What is computed in one pass: many tokens at once, rows of similar length together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

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
