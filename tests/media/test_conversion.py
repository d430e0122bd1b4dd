"""Transparent pictures in bands are what they are at once."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pixel_core.media.budget import to_rgb


def test_every_row_of_a_large_transparent_picture_is_laid_on_white() -> None:
    height, width = 1301, 1777  # bands of rows, the last of them shorter
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    shown = np.asarray(to_rgb(Image.fromarray(pixels))).astype(int)
    share = pixels[..., 3:] / 255
    expected = pixels[..., :3] * share + 255 * (1 - share)
    assert np.abs(shown - expected).max() <= 1
