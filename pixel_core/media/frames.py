"""Frames spread evenly over a video.

The video is cut into as many equal parts as frames are wanted; from each part comes the frame
on screen at its centre.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.budget import to_rgb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame


# Converts a decoded frame for display: RGB, upright, with square pixels.


#: The signs of a display matrix (x to x, x to y, y to x, y to y) and the rotation they mean.
_TURNS = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}

#: A stretch beyond this is a broken header's, not a camera's.
_MAX_STRETCH = 4


def upright(frame: VideoFrame, pixel_shape: Fraction, max_pixels: int) -> Image.Image:
    """The frame in 8-bit RGB, rotated as the camera was held; transparent parts on white.

    ``pixel_shape``: a pixel's width over its height; if it is not 1 the frame is widened or
    heightened, never reduced. High dynamic range is not tone-mapped. Raises ``MediaError``
    for a frame of over ``max_pixels``.
    """
    if frame.width * frame.height > max_pixels:
        raise MediaError(
            f"a frame has {frame.width} x {frame.height} pixels: encode it smaller"
        )
    picture = _squared(_rgb(frame), pixel_shape, max_pixels)
    turn = _turn(frame)
    return picture if turn is None else picture.transpose(turn)


def _rgb(frame: VideoFrame) -> Image.Image:
    # A palette may hold transparent entries.
    if not (frame.format.has_palette or any(part.is_alpha for part in frame.format.components)):
        return frame.to_image()
    return to_rgb(Image.fromarray(frame.to_ndarray(format="rgba"), "RGBA"))


def _squared(picture: Image.Image, pixel_shape: Fraction, max_pixels: int) -> Image.Image:
    if pixel_shape == 1 or not Fraction(1, _MAX_STRETCH) <= pixel_shape <= _MAX_STRETCH:
        return picture
    width, height = picture.size
    if pixel_shape > 1:
        width = round(width * pixel_shape)
    else:
        height = round(height / pixel_shape)
    if width * height > max_pixels:
        raise MediaError(f"a frame is shown at {width} x {height} pixels: encode it smaller")
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _turn(frame: VideoFrame) -> Image.Transpose | None:
    """The display matrix's rotation; None for none, and for angles that no camera writes."""
    parts: Iterable[SideData] = frame.side_data  # type: ignore[assignment]  # PyAV types it wrongly
    for data in parts:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
            return _TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))
    return None


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


class Timeline(Protocol):
    """The part of ``VideoFile`` needed here; indices are 0-based, times are seconds."""

    @property
    def frame_count(self) -> int: ...

    @property
    def duration_s(self) -> float: ...

    def index_at(self, seconds: float) -> int: ...

    def time_of(self, index: int) -> float: ...


def even_frames(video: Timeline, count: int) -> list[int]:
    """At the centres of ``count`` equal parts, increasing; fewer when the video has fewer."""
    if video.frame_count <= count:
        return list(range(video.frame_count))
    part = video.duration_s / count
    return sorted({video.index_at((number + 0.5) * part) for number in range(count)})
