"""Pillow's bicubic reduction by 2, 4 or 8, byte for byte, several times as fast.

Pillow has no vector code for it; torch has, with weights of 16 bits for Pillow's 22. At these
factors the weights of a pixel whose window lies inside the picture are multiples of 2**-13:
both hold them exactly, both then count in whole numbers and round alike. At the picture's
edge the window is cut and its weights are none of that kind, so the edge is Pillow's.
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

_FACTORS = (2, 4, 8)
#: Pixels along each edge whose window (2 reduced pixels to either side) leaves the picture.
_EDGE = 2
_BICUBIC = Image.Resampling.BICUBIC


def reducible(image: Image.Image, size: tuple[int, int]) -> bool:
    """Whether ``reduced`` does this: an RGB picture, a factor that it knows, the same both
    ways, and torch at hand. It is not loaded for this: that takes longer than it saves."""
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
    """``image.resize(size, BICUBIC)``, of a picture that is ``reducible``."""
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
        # A box moves where pixels are asked for; what is read for them may lie beyond it.
        box = (left * factor, top * factor, right * factor, bottom * factor)
        strip = image.resize((right - left, bottom - top), _BICUBIC, box)
        out.paste(strip, (left, top))
    return out
