"""Pictures made to take memory: each is refused, or read within a bound that is enforced."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image, features

from pixel_core.errors import MediaError
from pixel_core.media.loading import load_picture

#: What a bomb here would take, and what the process may take beyond what it begins with.
BOMB_BYTES = 200_000_000
ROOM_BYTES = 120_000_000

_CHILD = """
import base64, json, resource, sys
from pixel_core.errors import MediaError
from pixel_core.media.loading import load_picture

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for name, data in json.load(sys.stdin).items():
    try:
        print(name, load_picture(base64.b64decode(data)).size)
    except MediaError:
        print(name, "refused")
"""


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bombs() -> dict[str, bytes]:
    """A few hundred kilobytes each that unpack to ``BOMB_BYTES``."""
    packed = zlib.compress(bytes(BOMB_BYTES), 1)
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * 13)))
    return {
        "text": png(4, 4, chunk(b"zTXt", b"Comment\0\0" + packed), pixels),
        "profile": png(4, 4, chunk(b"iCCP", b"sRGB\0\0" + packed), pixels),
        "pixels": png(4, 4, chunk(b"IDAT", packed)),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_what_unpacks_to_much_more_takes_no_memory() -> None:
    packed = {name: base64.b64encode(data).decode() for name, data in bombs().items()}
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(ROOM_BYTES)],
        input=json.dumps(packed),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == 0, child.stderr
    # Pixels beyond the picture's own are never unpacked.
    assert child.stdout.splitlines() == ["text refused", "profile refused", "pixels (4, 4)"]


def refusal(data: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        load_picture(data, name="upload.png")
    assert "upload.png" in str(caught.value)
    return str(caught.value)


def test_a_canvas_much_larger_than_its_frame() -> None:
    out = io.BytesIO()
    Image.new("P", (8, 8)).save(out, "GIF")
    data = bytearray(out.getvalue())
    struct.pack_into("<HH", data, 6, 65_535, 65_535)
    assert "smaller" in refusal(bytes(data))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels(width: int, height: int) -> None:
    refusal(png(width, height, chunk(b"IDAT", zlib.compress(b"\0"))))


@pytest.mark.parametrize(
    "data",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1048576\n",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"%PDF-1.7\n",
    ],
)
def test_what_people_send_for_a_picture(data: bytes) -> None:
    assert "must be one of PNG, JPEG" in refusal(data)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_animated_avif_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "lime", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:], duration=40)
    red, green, blue = load_picture(out.getvalue()).getpixel((5, 5))
    assert red > 240
    assert max(green, blue) < 20
