"""Pictures in the page: encoded by what they are, embedded once."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image, ImageDraw

from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Box, Picture
from pixel_core.report.episodes.gallery import (
    CROP_SIDE,
    PICTURE_SIDE,
    Gallery,
    Mark,
    Role,
    data_uri,
)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def photo(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def test_drawings_stay_exact_and_photographs_become_jpeg() -> None:
    drawing = Image.new("RGB", (60, 40), "navy")
    ImageDraw.Draw(drawing).ellipse((5, 5, 30, 30), fill="gold")
    again = decoded(data_uri(drawing))
    assert again.format == "PNG"
    assert again.convert("RGB").tobytes() == drawing.tobytes()
    assert decoded(data_uri(photo(50, 50))).format == "JPEG"


def test_a_picture_is_embedded_once_and_reduced(tmp_path) -> None:
    out = io.BytesIO()
    photo(1200, 600).save(out, "PNG")
    with PictureArchiveWriter(tmp_path / "pictures.zip") as archive:
        picture: Picture = archive.add("a.png", out.getvalue(), 1200, 600)
    gallery = Gallery(PictureArchive(tmp_path / "pictures.zip").load)
    box = Box(x1=100, y1=50, x2=900, y2=450)
    shots = [gallery.shot(picture, [Mark(box, "1", Role.LOOK)], "alt") for _ in range(3)]
    assert len({shot.ref for shot in shots}) == 1
    (entry,) = gallery.embedded
    assert decoded(entry.uri).size == (PICTURE_SIDE, PICTURE_SIDE // 2)
    assert (entry.width, entry.height) == (1200, 600), "boxes are in original pixels"
    crop = gallery.crop(picture, box, "alt")
    assert (crop.width, crop.height) == (CROP_SIDE, CROP_SIDE // 2)
