"""Every pixel format to 8-bit RGB, without silent clipping."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: What a 16-bit sample can hold.
_FULL_16 = 65_535
#: Pixels that are laid on white at a time.
_BAND = 1 << 20


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB, itself if it is that already; transparent parts on white.

    Grey of more than 8 bits is scaled, not clipped. Raises ``ValueError`` for samples
    without a known range (floating point, more than 16 bits).
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """In bands of rows: at once it would take three copies of four bytes a pixel."""
    whole = Image.new("RGB", image.size)
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        picture = band.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        whole.paste(Image.alpha_composite(ground, picture).convert("RGB"), (0, top))
    return whole


def _deep_grey(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("its samples are floating point, whose range is unknown; use 8 bits")
    samples = np.asarray(image)
    if samples.min() < 0 or samples.max() > _FULL_16:
        raise ValueError(
            f"its samples go from {samples.min()} to {samples.max()}, over 16 bits; use 8 bits"
        )
    # At most 255 * 65535, so 32 bits do.
    grey = ((samples.astype(np.uint32) * 255 + _FULL_16 // 2) // _FULL_16).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey[samples == key] = 255
    return Image.fromarray(grey).convert("RGB")
