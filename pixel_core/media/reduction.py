"""Pillow's bicubic reduction by 2, 4 or 8, byte for byte, several times as fast.

Pillow has no vector code for it; torch has, with 16-bit weights instead of Pillow's 22 bits. At
these factors the weights of a pixel whose window is inside the picture are multiples of 2**-13:
both represent them exactly, so both compute in integers and round alike. At the picture's edge
the window is cut and the weights are not such multiples, so Pillow computes the edge.
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

_FACTORS = (2, 4, 8)
#: Pixels along each edge whose window (2 reduced pixels to either side) crosses the edge.
_EDGE = 2
_BICUBIC = Image.Resampling.BICUBIC


def reducible(image: Image.Image, size: tuple[int, int]) -> bool:
    """Whether ``reduced`` supports this: an RGB picture, a supported factor, equal both ways,
    and torch already loaded: importing it takes longer than it saves."""
    factor, rest = divmod(image.width, size[0])
    return (
        image.mode == "RGB"
        and not rest
        and factor in _FACTORS
        and image.height == factor * size[1]
        and min(size) > 2 * _EDGE
        and "torch" in sys.modules
    )


def reduced(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """``image.resize(size, BICUBIC)`` for a picture that is ``reducible``."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    width, height = size
    factor = image.width // width
    pixels = from_numpy(np.array(image)).permute(2, 0, 1)[None]
    inner = interpolate(pixels, (height, width), mode="bicubic", antialias=True)
    out = Image.fromarray(np.ascontiguousarray(inner[0].permute(1, 2, 0).numpy()))
    for left, top, right, bottom in (
        (0, 0, width, _EDGE),
        (0, height - _EDGE, width, height),
        (0, _EDGE, _EDGE, height - _EDGE),
        (width - _EDGE, _EDGE, width, height - _EDGE),
    ):
        # The box selects the output pixels; Pillow may read input beyond it.
        box = (left * factor, top * factor, right * factor, bottom * factor)
        strip = image.resize((right - left, bottom - top), _BICUBIC, box)
        out.paste(strip, (left, top))
    return out
