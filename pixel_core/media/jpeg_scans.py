"""Counts the scans of a JPEG. Each is a pass over the whole picture, however short it is.

A progressive file is decoded in as many passes as it has scans, and a scan that refines nothing
takes some dozen bytes: a file of some hundred kilobytes could occupy a decoder for minutes.
"""

from __future__ import annotations

import re

#: Cameras and browsers write 1 to about 20; libtiff's limit is the same
#: (``LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER``).
MAX_SCANS = 100
#: Pixels of all passes together, some seconds of decoding; and the scans that are always
#: allowed: a picture of 100 million pixels may have 20.
_MAX_PASSED = 2_000_000_000
_ALWAYS = 20

#: A marker. In a scan's data FF precedes 00 or a restart marker, and any number of FF may
#: pad the space before a marker (ITU-T T.81, B.1.1.2 and B.1.1.5).
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START, _END, _SCAN = b"\xd8", b"\xd9", b"\xda"


def most_scans(pixels: int) -> int:
    """The most scans a legitimate JPEG of this size has, at most ``MAX_SCANS``."""
    return min(MAX_SCANS, max(_ALWAYS, _MAX_PASSED // max(1, pixels)))


def has_more_scans(data: bytes, most: int) -> bool:
    """Whether a JPEG file has more than ``most`` scans; linear in its length."""
    # A scan begins with these two bytes, which also occur by chance: in a colour profile, or
    # in the film that phones append.
    if data.count(b"\xff" + _SCAN) <= most:
        return False
    scans, at = 0, 0
    while scans <= most and (found := _MARKER.search(data, at)):
        marker, at = found[1], found.end()
        if marker == _END:
            break
        if marker == _SCAN:
            scans += 1
        if marker != _START:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans > most
