"""The fast reduction of pictures: Pillow's bytes, and only where they can be had."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixel_core.media.reduction import reduced, reducible

KINDS = ("noise", "extremes", "flat")


def picture(width: int, height: int, kind: str, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    if kind == "flat":
        pixels = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    else:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "extremes":  # what overshoots is clipped, twice
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    return Image.fromarray(pixels)


@given(
    factor=st.sampled_from((2, 4, 8)),
    columns=st.integers(5, 120),
    rows=st.integers(5, 120),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**31),
)
def test_it_is_pillows_byte_for_byte(
    factor: int, columns: int, rows: int, kind: str, seed: int
) -> None:
    assert torch.__version__  # without torch nothing is reducible
    image = picture(columns * factor, rows * factor, kind, seed)
    assert reducible(image, (columns, rows))
    theirs = image.resize((columns, rows), Image.Resampling.BICUBIC)
    assert reduced(image, (columns, rows)).tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("mode", "source", "size"),
    [
        ("RGB", (336, 336), (112, 112)),  # by three
        ("RGB", (1792, 1792), (112, 112)),  # by sixteen: finer weights than torch's
        ("RGB", (448, 224), (112, 112)),  # one way only
        ("RGB", (450, 448), (112, 112)),
        ("RGB", (56, 56), (112, 112)),
        ("RGB", (112, 112), (112, 112)),
        ("RGB", (8, 448), (2, 112)),  # all edge
        ("L", (448, 448), (112, 112)),
    ],
)
def test_others_are_left_to_pillow(
    mode: str, source: tuple[int, int], size: tuple[int, int]
) -> None:
    assert not reducible(Image.new(mode, source), size)
