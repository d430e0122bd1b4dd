"""The format of a segment: an immutable object of many answers, each with a checksum.

    header   one line of JSON: the format's number
    entry    mark (4 bytes) | lengths of facts and body, big-endian (4 + 4) | digest (32)
             | CRC-32 of lengths, digest, facts and body (4) | facts (JSON) | body

A damaged segment still yields every entry whose checksum holds: the reader looks for the
next mark after the damage.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from pixel_core.workflow.stage import SharedNotes

_HEADER = b'{"answers": 1}\n'
_MARK = b"\xf7PXA"
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_DIGEST = 32
_PREFIX = len(_MARK) + _LENGTHS.size + _DIGEST + _CRC.size


@dataclass(frozen=True, slots=True)
class Facts:
    """Metadata of an answer."""

    #: The computation that paid for it (``SharedNotes.owner``).
    owner: str
    model: str
    task: str
    batch: bool = False
    #: Cost in picodollars (see ``pricing``); an int, so that sums are exact.
    price: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    #: From request to answer; 0 if not measured.
    seconds: float = 0.0
    #: Seconds since the epoch.
    at: float = 0.0
    #: How the request was adapted to the endpoint: "-temperature|max_tokens>...".
    changes: str = ""

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises ``ValueError`` or ``TypeError`` for facts that no segment of ours holds."""
        return cls(**json.loads(data))


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """``digest``: the 32 bytes of the request's SHA-256."""

    digest: bytes
    body: bytes
    facts: Facts


def header() -> bytes:
    return _HEADER


def pack(entry: LedgerEntry) -> bytes:
    """The entry as written in a segment."""
    if len(entry.digest) != _DIGEST:
        raise ValueError(f"a digest has {_DIGEST} bytes, not {len(entry.digest)}")
    facts = json.dumps(_values(entry.facts), separators=(",", ":")).encode()
    lengths = _LENGTHS.pack(len(facts), len(entry.body))
    sum_ = zlib.crc32(entry.body, zlib.crc32(facts, zlib.crc32(lengths + entry.digest)))
    return b"".join((_MARK, lengths, entry.digest, _CRC.pack(sum_), facts, entry.body))


def pack_all(entries: Iterable[LedgerEntry]) -> bytes:
    return b"".join((_HEADER, *map(pack, entries)))


def unpack(data: bytes) -> Iterator[LedgerEntry]:
    """The intact entries, in order; damaged or foreign bytes are skipped."""
    place = data.find(_MARK)
    while place >= 0:
        end = _end(data, place)
        entry = _entry(data, place, end) if end else None
        if entry is None or end is None:
            place = data.find(_MARK, place + 1)
            continue
        yield entry
        place = end if data.startswith(_MARK, end) else data.find(_MARK, end)


def _end(data: bytes, place: int) -> int | None:
    """The end of an entry that begins at ``place``; None if it is truncated or damaged."""
    start = place + _PREFIX
    if start > len(data):
        return None
    lengths = data[place + len(_MARK) : place + len(_MARK) + _LENGTHS.size]
    facts, body = _LENGTHS.unpack(lengths)
    end = start + facts + body
    if end > len(data):
        return None
    digest = data[place + len(_MARK) + _LENGTHS.size : start - _CRC.size]
    (expected,) = _CRC.unpack_from(data, start - _CRC.size)
    view = memoryview(data)[start:end]
    return end if zlib.crc32(view, zlib.crc32(lengths + digest)) == expected else None


def _entry(data: bytes, place: int, end: int) -> LedgerEntry | None:
    start = place + _PREFIX
    digest_at = place + len(_MARK) + _LENGTHS.size
    facts_end = start + _LENGTHS.unpack_from(data, place + len(_MARK))[0]
    try:
        facts = Facts.read(data[start:facts_end])
    except (ValueError, TypeError):
        return None
    return LedgerEntry(data[digest_at : digest_at + _DIGEST], data[facts_end:end], facts)


_DEFAULTS = {field.name: field.default for field in fields(Facts)}


def _values(facts: Facts) -> dict[str, Any]:
    """The facts without defaults: a million of them are kept."""
    return {name: value for name, value in asdict(facts).items() if value != _DEFAULTS[name]}


# Merging small segments, so that a million answers do not become a million objects.
#
# The merged segment is stored before the old ones are removed. A kill in between leaves
# answers stored twice, which costs a little space until the next merge.


#: Upper bounds of the size classes in bytes; larger segments are left alone.
_SIZES = (256 << 10, 8 << 20)
#: This many segments of one class are merged.
MANY = 32
#: Approximate number of bytes merged at a time.
_MOST = 32 << 20


def choose(sizes: Mapping[str, int]) -> list[str]:
    """The segments to merge now, given their sizes by name; empty when there are few."""
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
    them. These are left as they are: more may be recovered from them later."""
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
