"""The size at which a picture is shown: in whole visual tokens, within a pixel budget.

Source: ``smart_resize`` of Qwen2-VL's image processor. The numbers must equal it for every
size, because released models, vLLM and this code must count the same visual tokens.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from pixel_core.config import PixelBudget
from pixel_core.errors import MediaError

PATCH = 14  #: pixels of a vision patch's side
MERGE = 2  #: patches of a visual token's side
FACTOR = PATCH * MERGE  #: pixels of a visual token's side

#: Pictures with a longer shape are refused, as the model family's own processor does.
MAX_ASPECT_RATIO = 200


def check_shape(width: int, height: int) -> None:
    """Raise ``MediaError`` for a picture that no budget can show: one without pixels, or with
    sides over 200 : 1. Every input path checks this first, so that no later stage gets a
    picture that ``fit`` refuses."""
    if width < 1 or height < 1:
        raise MediaError(f"a picture of {width} x {height} pixels has nothing to show")
    if max(width, height) / min(width, height) > MAX_ASPECT_RATIO:
        raise MediaError(
            f"a picture of {width} x {height} pixels is too narrow: the longer side may be "
            f"at most {MAX_ASPECT_RATIO} times the shorter; cut it into pieces"
        )


def fit(width: int, height: int, budget: PixelBudget) -> tuple[int, int]:
    """The size, in pixels, at which a ``width`` x ``height`` picture is shown.

    Returns ``(width, height)``, multiples of 28 near the picture's own shape, with an area
    within the budget. There are two exceptions: no side goes below 28, so a long strip can
    exceed ``max_pixels``; and growing to ``min_pixels`` rounds up.

    Raises ``MediaError`` as ``check_shape``.
    """
    check_shape(width, height)
    # round() rounds halves to even; the original relies on it too.
    columns, rows = round(width / FACTOR), round(height / FACTOR)
    area = columns * rows * FACTOR**2
    if area > budget.max_pixels:
        shrink = math.sqrt(height * width / budget.max_pixels)
        columns = max(1, math.floor(width / shrink / FACTOR))
        rows = max(1, math.floor(height / shrink / FACTOR))
    elif area < budget.min_pixels:
        grow = math.sqrt(budget.min_pixels / (height * width))
        columns = math.ceil(width * grow / FACTOR)
        rows = math.ceil(height * grow / FACTOR)
    return columns * FACTOR, rows * FACTOR


# Every pixel format to 8-bit RGB, without silent clipping.


#: Maximum of a 16-bit sample.
_FULL_16 = 65_535
#: Pixels composed on white at a time.
_BAND = 1 << 20


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB, itself if it is RGB already; transparent parts on white.

    Grey of more than 8 bits is scaled, not clipped. Raises ``ValueError`` for samples
    without a known range (floating point, more than 16 bits).
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """In bands of rows: all at once would take three copies of four bytes per pixel."""
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
    # At most 255 * 65535, which fits 32 bits.
    grey = ((samples.astype(np.uint32) * 255 + _FULL_16 // 2) // _FULL_16).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey[samples == key] = 255
    return Image.fromarray(grey).convert("RGB")
