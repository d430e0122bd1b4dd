"""Cuts a picture into the patches that the vision tower reads.

Legend: n = grid_h * grid_w patches; a patch is 3 colours x 2 moments x 14 x 14 pixels, in
that order, flat: 1176 numbers. Patches come in merge order: the four patches of a visual
token are adjacent. Source: Qwen2-VL's image processor, which this equals bit for bit; it is
rewritten because training calls it tens of thousands of times. Until they are used in a
computation, patches are stored as the bytes of one moment (``cut``): an eighth of the space.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from pixel_core.media.budget import FACTOR, MERGE, PATCH
from pixel_core.media.reduction import reduced, reducible

#: A still picture is repeated to fill the temporal patch.
MOMENTS = 2
COLOURS = 3
PATCH_WIDTH = COLOURS * MOMENTS * PATCH * PATCH
#: Width of one moment.
STILL_WIDTH = COLOURS * PATCH * PATCH

#: Statistics of CLIP's training pictures, red, green, blue.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def _normalised_levels() -> np.ndarray:
    """Every byte value, float32 (3, 256): rescaled to [0, 1], normalised."""
    levels = (np.arange(256, dtype=np.float64) / 255).astype(np.float32)
    mean, std = (np.array(values, dtype=np.float32)[:, None] for values in (MEAN, STD))
    return (levels - mean) / std


_LEVELS = _normalised_levels()


def patchify(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Resize an RGB picture to ``size`` = (width, height) and cut it into patches.

    Returns float32 (n, 1176), the rows of grid ``grid_of(size)``. Bicubic resizing, so pixel
    values follow Pillow's. Raises ``ValueError`` if the picture is not RGB or the size is not
    made of whole visual tokens, both errors of the caller: see ``loading.load_picture`` and
    ``budget.fit``.
    """
    return whole(cut(resized(image, size)))


def cut(image: Image.Image) -> np.ndarray:
    """The pixels of an RGB picture of whole visual tokens as bytes: uint8 (n, 588); a patch is
    3 colours x 14 x 14."""
    _, grid_h, grid_w = grid_of(image.size)
    pixels = np.asarray(image).reshape(
        grid_h // MERGE, MERGE, PATCH, grid_w // MERGE, MERGE, PATCH, COLOURS
    )
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 4, 6, 2, 5)).reshape(
        grid_h * grid_w, STILL_WIDTH
    )


def normalised(cut_np: np.ndarray) -> np.ndarray:
    """One moment as the tower reads it: float32 (..., 588), the shape of ``cut``'s result."""
    bytes_ncp = cut_np.reshape(-1, COLOURS, PATCH * PATCH)
    floats = np.empty(bytes_ncp.shape, np.float32)
    for colour in range(COLOURS):
        floats[:, colour] = _LEVELS[colour].take(bytes_ncp[:, colour])
    return floats.reshape(cut_np.shape)


def whole(cut_np: np.ndarray) -> np.ndarray:
    """Patches, float32 (n, 1176), from the result of ``cut``."""
    floats = normalised(cut_np).reshape(len(cut_np), COLOURS, 1, PATCH * PATCH)
    return floats.repeat(MOMENTS, 2).reshape(len(cut_np), PATCH_WIDTH)


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The RGB picture at ``size`` = (width, height), as every part of this project shows it.

    Raises ``ValueError`` as ``patchify`` does. A picture of that size is returned unchanged.
    """
    if image.mode != "RGB":
        raise ValueError(f"patchify needs an RGB picture, not {image.mode!r}")
    grid_of(size)
    if image.size == size:
        return image
    if reducible(image, size):
        return reduced(image, size)
    # No reducing_gap: it resizes in two steps, whose pixels differ by several levels.
    return image.resize(size, Image.Resampling.BICUBIC)


def put_together(cut_np: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Inverse of ``cut``: the RGB picture of ``size``, byte for byte."""
    _, grid_h, grid_w = grid_of(size)
    pixels = cut_np.reshape(
        grid_h // MERGE, grid_w // MERGE, MERGE, MERGE, COLOURS, PATCH, PATCH
    ).transpose(0, 2, 5, 1, 3, 6, 4)
    return Image.fromarray(pixels.reshape(size[1], size[0], COLOURS))


def grid_of(size: tuple[int, int]) -> tuple[int, int, int]:
    """(1, grid_h, grid_w): patches over time, down and across, of a shown (width, height)."""
    width, height = size
    if width < FACTOR or height < FACTOR or width % FACTOR or height % FACTOR:
        raise ValueError(f"size {size} is not made of {FACTOR} x {FACTOR} visual tokens")
    return 1, height // PATCH, width // PATCH


def visual_tokens(size: tuple[int, int]) -> int:
    """Tokens of a picture shown at (width, height) in the model's context."""
    moments, grid_h, grid_w = grid_of(size)
    return moments * grid_h * grid_w // MERGE**2
