"""What one request, and all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Everything a client could use up is bounded here. Times are seconds.

    Memory beside the model's own, at most. Requests that are sent: ``max_reading_bytes``. A
    place: its body, twice while its pictures are unpacked from it. One that runs: 3 bytes a
    pixel of ``max_pixels``. Each decoder, while it decodes: up to 10 bytes a pixel more (a
    picture with transparency, turned as its EXIF says).
    """

    #: Episodes that are generated together, and requests that may wait for a place.
    max_running: int = 16
    max_waiting: int = 64
    #: Of a request, from its headers to its last byte, waiting included.
    timeout_s: float = 120.0
    #: A body must have arrived, and a client's headers, after so long.
    body_timeout_s: float = 30.0
    header_timeout_s: float = 10.0
    #: A client may read nothing of its answer for so long.
    write_timeout_s: float = 30.0
    #: What runs when the server is told to stop may take so much longer.
    grace_s: float = 30.0
    max_connections: int = 512
    #: Requests that are being sent, and bytes that have come of them, together.
    max_reading: int = 256
    max_reading_bytes: int = 256 * MEBIBYTE

    max_body_bytes: int = 32 * MEBIBYTE
    #: Of all pictures of a request together, as they are sent.
    max_picture_bytes: int = 20 * MEBIBYTE
    max_pictures: int = 8
    #: Of all pictures of a request together, decoded.
    max_pixels: int = 50_000_000
    #: Frames that are taken from a video.
    max_frames: int = 16
    #: Characters of all texts of a request.
    max_text: int = 50_000
    #: Threads that decode pictures and videos.
    decoders: int = 2


def limits_of(*, picture_bytes: int, **changes: Any) -> Limits:
    """The limits with these changes; a body has room for its pictures in base64, also in lines
    of 76 characters whose ends are escaped (``\\r\\n``)."""
    body = picture_bytes * 4 * 80 // (3 * 76) + MEBIBYTE
    return Limits(max_picture_bytes=picture_bytes, max_body_bytes=body, **changes)
