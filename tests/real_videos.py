"""Real video files, encoded here: every frame carries its number as white bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw

SIZE = (160, 96)
RATE = 25
_BITS = 8


def numbered(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A dark picture with a bar for every bit of the number that is set."""
    image = Image.new("RGB", size, (40, 40, 40))
    draw = ImageDraw.Draw(image)
    width, height = size
    for bit in range(_BITS):
        if number >> bit & 1:
            left = bit * width // _BITS
            draw.rectangle(
                (left + 2, height // 4, left + width // _BITS - 3, 3 * height // 4),
                fill="white",
            )
    return image


def number_on(image: Image.Image) -> int:
    """The number that a frame's bars say."""
    grey = image.convert("L")
    width, height = image.size
    middles = (bit * width // _BITS + width // (2 * _BITS) for bit in range(_BITS))
    return sum((grey.getpixel((x, height // 2)) > 140) << bit for bit, x in enumerate(middles))


def write_video(
    path: Path,
    codec: str = "mpeg4",
    *,
    frames: int = 50,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    unit: Fraction = Fraction(1, RATE),
    draw: Callable[[int], Image.Image] = numbered,
    prepare: Callable[[Any], None] = lambda stream: None,
) -> Path:
    """Encode a video. ``times``, in units of ``unit``, are when its frames appear (default:
    one after the other); ``prepare`` may set up the stream."""
    times = range(frames) if times is None else times
    with av.open(str(path), "w", container_options=container or {}) as file:
        stream = file.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height = draw(0).size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = unit
        prepare(stream)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_image(draw(number))
            frame.pts, frame.time_base = time, unit
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
