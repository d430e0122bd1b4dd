"""Merging small segments, so that a million answers do not become a million objects.

The merged segment is stored before those it replaces are removed. A kill in between leaves
answers stored twice, which costs a little space until they are merged again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixel_core.data.annotation.ledger.segments import header, pack, unpack
from pixel_core.workflow.stage import SharedNotes

#: Bytes from which a segment is of the next size; those of the last are left alone.
_SIZES = (256 << 10, 8 << 20)
#: As many of one size are merged.
MANY = 32
#: Bytes merged at a time, about.
_MOST = 32 << 20


def choose(sizes: Mapping[str, int]) -> list[str]:
    """The segments to merge now, of bytes each by name; empty when there are few."""
    low = 0
    for high in _SIZES:
        alike = sorted(name for name, size in sizes.items() if low <= size < high)
        if len(alike) >= MANY:
            total = 0
            chosen: list[str] = []
            for name in alike[:MANY]:
                total += sizes[name]
                if chosen and total > _MOST:
                    break
                chosen.append(name)
            return chosen
        low = high
    return []


def merged(notes: SharedNotes, names: Sequence[str]) -> tuple[bytes, list[str], list[str]]:
    """The bytes of the merged segment, the names it replaces, and the damaged ones among
    them, which are left as they are: of those there may be more to save later."""
    seen: set[bytes] = set()
    parts, replaced, damaged = [header()], [], []
    for name in names:
        data = notes.get(name)
        if data is None:
            damaged.append(name)
            continue
        replaced.append(name)
        for entry in unpack(data):
            if entry.digest not in seen:
                seen.add(entry.digest)
                parts.append(pack(entry))
    return b"".join(parts), replaced, damaged
