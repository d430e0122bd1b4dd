"""How a view becomes the bytes that are sent: cut out, shrunk, and encoded.

PNG where it is not much larger than JPEG would be, as for pages, drawings and small
pictures: it keeps every letter as it is. Else JPEG of quality 92 with its colours at full
resolution, at which text stays legible and a photo of two megapixels is under a megabyte.
"""

from __future__ import annotations

import base64
import io

from PIL import Image

from pixel_core.data.annotation.picture_tokens import view_size
from pixel_core.data.annotation.requests import PictureView

_QUALITY = 92
#: A picture of so few pixels goes as PNG, whatever it is.
_SMALL = 128 * 128
#: Others do when the PNG is at most this many times as large as the JPEG.
_PNG_SHARE = 1.5
#: Colours up to which a PNG is tried: photos have more, and their PNG takes long to make.
_COLOURS = 4096


def encode(image: Image.Image, view: PictureView) -> str:
    """The data URL of a view, given the upright RGB pixels of its whole picture."""
    if view.region is not None:
        image = image.crop(view.region.as_tuple())
    size = view_size(view)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    kind, data = _smaller(image)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _smaller(image: Image.Image) -> tuple[str, bytes]:
    if image.width * image.height <= _SMALL:
        return "png", _bytes(image, "PNG")
    jpeg = _bytes(image, "JPEG", quality=_QUALITY, subsampling=0)
    if image.getcolors(_COLOURS) is not None:
        png = _bytes(image, "PNG")
        if len(png) <= _PNG_SHARE * len(jpeg):
            return "png", png
    return "jpeg", jpeg


def _bytes(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
