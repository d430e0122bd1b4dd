"""Decodes a picture file to RGB pixels, whatever camera, scanner or browser wrote it.

The size is checked in the header, before any pixel is decoded. Colour profiles are ignored, as
the model family's own processor ignores them.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

from PIL import ExifTags, Image

from pixel_core.errors import MediaError
from pixel_core.media.budget import to_rgb
from pixel_core.media.jpeg_scans import has_more_scans, most_scans
from pixel_core.media.unread_pictures import HEAD, told_of

# Pillow registers its formats on first use, and not thread-safely: a good picture opened by
# two threads at once could be rejected as an unknown format.
Image.init()

#: Common picture formats, most frequent first (JPEG covers cameras' MPO). Others are
#: refused: some of Pillow's decoders start programs (EPS) or are barely tested.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

#: Suffixes of such files. Not ".pfm" (samples without a known range) nor ".dib".
SUFFIXES = frozenset(
    [".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"]
).union(
    [".mpo", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"],
    [".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".avifs"],
)

#: Default limit per picture. Pillow's own limit, 179 million, still applies.
MAX_PIXELS = 100_000_000

#: Exceptions of Pillow's decoders on damage; EOFError and UnidentifiedImageError too.
_DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
    NotImplementedError,
)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_picture(
    data: bytes | Path, *, max_pixels: int = MAX_PIXELS, name: str = ""
) -> Image.Image:
    """Decode a picture file: RGB, upright (EXIF), transparency on white, first frame.

    ``data`` is the file's content or its path; ``name`` names it in errors (default: the
    path). Raises ``MediaError`` if the file is missing, empty, damaged, not a picture, has
    more than ``max_pixels`` pixels, or is a JPEG with more scans than a legitimate one.
    """
    if isinstance(data, Path):
        name = name or str(data)
        try:
            with data.open("rb") as file:
                return _load(file, name, max_pixels)
        except FileNotFoundError:
            raise MediaError(f"picture {name} does not exist: check its path") from None
        except (IsADirectoryError, PermissionError) as error:
            raise MediaError(
                f"picture {name} can't be opened: {error.strerror}; make it a readable file"
            ) from error
    return _load(io.BytesIO(data), name or f"of {len(data)} bytes", max_pixels)


def as_picture(image: Image.Image, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A copy of an already opened or generated picture, converted as by ``load_picture``.

    Raises ``MediaError`` as that does.
    """
    if 0 in image.size:
        raise MediaError(f"a picture of {image.width} x {image.height} pixels shows nothing")
    picture = _decoded(image, "given", max_pixels)
    return picture.copy() if picture is image else picture


def _load(file: io.BufferedReader | io.BytesIO, name: str, max_pixels: int) -> Image.Image:
    if not file.read(1):
        raise MediaError(f"picture {name} is empty: fetch or export it again")
    file.seek(0)
    with _opened(file, name) as image:
        if image.format in ("JPEG", "MPO"):
            _check_scans(file, name, most_scans(image.width * image.height))
        return _decoded(image, name, max_pixels)


def _check_scans(file: io.BufferedReader | io.BytesIO, name: str, most: int) -> None:
    file.seek(0)  # Pillow seeks by itself
    if has_more_scans(file.read(), most):
        raise MediaError(
            f"picture {name} has over {most} scans, each a pass over all of it: save it "
            "again, as an ordinary JPEG"
        )


def _decoded(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    width, height = image.size
    if width * height > max_pixels:
        raise MediaError(
            f"picture {name} has {width} x {height} = {width * height:,} pixels, "
            f"allowed are {max_pixels:,}: make it smaller or raise the limit"
        )
    try:
        image.load()
        return _upright(to_rgb(image), image)
    except _DAMAGE as error:
        raise MediaError(
            f"picture {name} ({image.format}) is damaged: {error}; fetch or export it again"
        ) from error


def _opened(file: io.BufferedReader | io.BytesIO, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Our own limit decides, and it raises an error rather than a warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise MediaError(f"picture {name} is too large: {error}; make it smaller") from error
    except _DAMAGE as error:
        file.seek(0)
        told = told_of(file.read(HEAD))
        raise MediaError(
            f"picture {name} is not a picture that can be read: it must be one of "
            f"{', '.join(FORMATS)}, and complete" + (f"; it is {told}" if told else "")
        ) from error


def _upright(pixels: Image.Image, source: Image.Image) -> Image.Image:
    """Rotate the picture by its EXIF orientation; broken EXIF is ignored."""
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGE:
        return pixels
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return pixels if turn is None else pixels.transpose(turn)
