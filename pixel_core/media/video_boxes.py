"""The boxes of an MP4 or MOV file: which there are, and what they say of the file's end.

The file is untrusted: boxes are visited in order by their headers, a few bytes at a time;
their number is bounded, and their depth is fixed. Format: ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from pixel_core.media.deadline import Deadline

#: The most box headers and index entries read in one file: with two tracks in pieces of a
#: tenth of a second, four hours make 600,000.
MAX_READS = 2_000_000

#: Entries of an index read at once.
_AT_ONCE = 4096


class TooManyBoxes(Exception):
    """More boxes than any real file has."""


@dataclass(frozen=True)
class Mp4Box:
    kind: bytes
    start: int
    #: Start of its content.
    body: int
    #: Its stated end, which may be beyond the file's end.
    end: int


@dataclass
class Mp4Boxes:
    """Facts from the top-level boxes, and from those that state an end.

    Positions are bytes from the file's beginning, durations seconds.
    """

    #: The last box, perhaps incomplete, and the kind of the one before it.
    last: Mp4Box | None = None
    before: bytes = b""
    #: Start of bytes that are not a box.
    stray: int | None = None
    fragmented: bool = False
    #: The furthest position of any segment index (``sidx``), and of one before the first
    #: fragment; 0: there is none.
    indexed_to: int = 0
    foretold_to: int = 0
    #: The duration of all fragments by a fragmented file's header (``mehd``); 0: not stated.
    fragments_s: float = 0.0
    #: The longest duration in its other headers (``mvhd``, ``tkhd``); 0: not stated.
    stated_s: float = 0.0
    #: Positions of the fragments, and their positions by the last index (``mfra``).
    fragments: array[int] = field(default_factory=lambda: array("Q"))
    listed: array[int] = field(default_factory=lambda: array("Q"))
    #: Number of headers (``moov``): more than one in concatenated files.
    heads: int = 0


def read_boxes(file: BinaryIO, size: int, deadline: Deadline) -> Mp4Boxes:
    """Visit the boxes of a file of ``size`` bytes. Raises ``TooManyBoxes``, and ``TimedOut``
    once ``deadline`` has passed."""
    return _BoxReader(file, size, deadline).read()


class _BoxReader:
    def __init__(self, file: BinaryIO, size: int, deadline: Deadline) -> None:
        self._file = file
        self._size = size
        self._deadline = deadline
        self._reads = 0
        self._found = Mp4Boxes()

    def read(self) -> Mp4Boxes:
        found = self._found
        for box in self._boxes(0, self._size):
            found.before = found.last.kind if found.last else b""
            found.last = box
            if box.kind == b"moof":
                found.fragmented = True
                found.fragments.append(box.start)
            elif box.kind == b"moov" and box.end <= self._size:
                found.heads += 1
                self._head(box)
            elif box.kind == b"sidx" and box.end <= self._size:
                self._segment_index(box)
            elif box.kind == b"mfra" and box.end <= self._size:
                found.listed = array("Q")
                for inner in self._boxes(box.body, box.end):
                    if inner.kind == b"tfra" and inner.end <= box.end:
                        self._fragment_index(inner)
        end = found.last.end if found.last else 0
        if end < self._size:
            found.stray = end
        return found

    def _boxes(self, at: int, end: int) -> Iterator[Mp4Box]:
        """The boxes from ``at`` on, up to ``end`` or to bytes that are not a box; the last one
        may state a later end."""
        while at + 8 <= end:
            self._count(1)
            size, kind = struct.unpack(">I4s", self._bytes(at, 8))
            head = 8
            if size == 1:
                if at + 16 > end:
                    # Cut within its size field: it has at least its own header.
                    yield Mp4Box(kind, at, end, at + 16)
                    return
                head, size = 16, int.from_bytes(self._bytes(at + 8, 8), "big")
            elif size == 0 and kind != bytes(4):
                size = end - at  # to the end
            if size < head:
                return
            yield Mp4Box(kind, at, at + head, at + size)
            at += size

    def _head(self, moov: Mp4Box) -> None:
        """``moov``: the durations of the whole and of the tracks."""
        unit, length, fragments = 0, 0, 0
        for box in self._boxes(moov.body, moov.end):
            if box.kind == b"mvhd":
                unit, told = self._movie_header(box)
                length = max(length, told)
            elif box.kind == b"trak":
                for inner in self._boxes(box.body, min(box.end, moov.end)):
                    if inner.kind == b"tkhd":
                        length = max(length, self._track_duration(inner))
            elif box.kind == b"mvex":
                self._found.fragmented = True
                for inner in self._boxes(box.body, min(box.end, moov.end)):
                    if inner.kind == b"mehd":
                        fragments = self._duration(inner, 4, 4)
        if unit:
            found = self._found
            found.stated_s = max(found.stated_s, length / unit)
            found.fragments_s = max(found.fragments_s, fragments / unit)

    def _movie_header(self, box: Mp4Box) -> tuple[int, int]:
        """Units a second, and the duration in them."""
        at = box.body + (20 if self._version(box) else 12)
        return int.from_bytes(self._bytes(at, 4), "big"), self._duration(box, 16, 24)

    def _track_duration(self, box: Mp4Box) -> int:
        return self._duration(box, 20, 28)

    def _duration(self, box: Mp4Box, short: int, long: int) -> int:
        """The duration at offset ``short`` (version 0) or ``long`` (1); 0 if unknown."""
        at, width = (long, 8) if self._version(box) else (short, 4)
        value = int.from_bytes(self._bytes(box.body + at, width), "big")
        return 0 if value == (1 << 8 * width) - 1 else value

    def _segment_index(self, box: Mp4Box) -> None:
        long = self._version(box)
        fields = struct.Struct(">QQHH" if long else ">IIHH")
        head = self._bytes(box.body + 12, fields.size)
        if len(head) < fields.size:
            return
        _, first, _, count = fields.unpack(head)
        reach = box.end + first
        for entry in self._entries(box, 12 + fields.size, 12, count):
            reach += int.from_bytes(entry[:4], "big") & 0x7FFF_FFFF
        found = self._found
        found.indexed_to = max(found.indexed_to, reach)
        if not found.fragments:
            found.foretold_to = max(found.foretold_to, reach)

    def _fragment_index(self, box: Mp4Box) -> None:
        head = self._bytes(box.body, 16)
        if len(head) < 16:
            return
        version, widths, count = head[0], head[11], int.from_bytes(head[12:16], "big")
        width = 8 if version else 4
        extra = sum(1 + (widths >> shift & 3) for shift in (4, 2, 0))
        for entry in self._entries(box, 16, 2 * width + extra, count):
            self._found.listed.append(int.from_bytes(entry[width : 2 * width], "big"))

    def _entries(self, box: Mp4Box, at: int, width: int, count: int) -> Iterator[bytes]:
        """The entries of a table in ``box``: as many as it states and as fit in it."""
        at += box.body
        count = min(count, max(0, box.end - at) // width)
        while count:
            some = min(count, _AT_ONCE)
            self._count(some)
            data = self._bytes(at, some * width)
            for place in range(0, len(data), width):
                yield data[place : place + width]
            at, count = at + some * width, count - some

    def _version(self, box: Mp4Box) -> bool:
        """Whether its times and positions have 8 bytes."""
        return self._bytes(box.body, 1) > b"\0"

    def _bytes(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)

    def _count(self, reads: int) -> None:
        self._deadline.check()
        self._reads += reads
        if self._reads > MAX_READS:
            raise TooManyBoxes
