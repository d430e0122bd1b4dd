"""Views as sent, made from an ingest artifact's pictures and cached while needed."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from pixel_core.data.annotation.pricing import view_size
from pixel_core.data.annotation.requests import AnnotationRequest, PictureView
from pixel_core.errors import MediaError
from pixel_core.media.archive import PictureArchive
from pixel_core.media.loading import MAX_PIXELS, load_picture
from pixel_core.records import Picture

# How a view becomes the bytes that are sent: cropped, shrunk, and encoded.
#
# PNG where it is not much larger than JPEG, as for pages, drawings and small pictures: it is
# lossless. Otherwise JPEG of quality 92 without chroma subsampling: text stays legible and a
# photo of two megapixels is under a megabyte.


_QUALITY = 92
#: A picture of at most this many pixels is always sent as PNG.
_SMALL = 128 * 128
#: Others are when the PNG is at most this many times as large as the JPEG.
_PNG_SHARE = 1.5
#: Most colours for which a PNG is tried: photos have more, and their PNG takes long to make.
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


#: Characters of data URLs that are cached: a seed's views are shown several times in a row.
_KEPT = 64 << 20

_Key = tuple[str, int, tuple[int, int, int, int] | None]


class ShownViews:
    """Thread-safe: one thread at a time reads the archive, all decode."""

    def __init__(self, pictures: Path) -> None:
        self._archive = PictureArchive(pictures)
        self._reading = threading.Lock()
        self._kept: OrderedDict[_Key, str] = OrderedDict()
        self._size = 0
        self._keeping = threading.Lock()

    def urls(self, request: AnnotationRequest) -> list[str]:
        """The data URLs of a request's views, in order. Raises ``MediaError``."""
        return [self._url(view) for view in request.views]

    def close(self) -> None:
        with self._reading:
            self._archive.close()

    def _url(self, view: PictureView) -> str:
        region = view.region.as_tuple() if view.region else None
        key = (view.picture.sha256, view.max_pixels, region)
        with self._keeping:
            url = self._kept.get(key)
            if url is not None:
                self._kept.move_to_end(key)
                return url
        url = encode(self._pixels(view.picture), view)
        with self._keeping:
            if key not in self._kept:
                self._kept[key] = url
                self._size += len(url)
            while self._size > _KEPT and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return url

    def _pixels(self, picture: Picture) -> Image.Image:
        with self._reading:
            data = self._archive.read(picture)
        size = picture.width, picture.height
        image = load_picture(
            data, max_pixels=max(size[0] * size[1], MAX_PIXELS), name=picture.member
        )
        if image.size != size:
            raise MediaError(
                f"picture {picture.member} is {image.width} x {image.height} pixels, its "
                f"record says {size[0]} x {size[1]}: rebuild the artifact"
            )
        return image
