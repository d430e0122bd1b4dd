"""Every pixel format to 8-bit RGB, without silent clipping."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: What a 16-bit sample can hold.
_FULL_16 = 65_535


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB, itself if it is that already; transparent parts on white.

    Grey of more than 8 bits is scaled, not clipped. Raises ``ValueError`` for samples
    without a known range (floating point, more than 16 bits).
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey(image)
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


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
