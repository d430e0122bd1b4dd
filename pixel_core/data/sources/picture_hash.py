"""A picture as 256 bits that stay nearly the same when it is encoded or sized anew.

The perceptual hash of ``imagehash`` (signs of the lowest 16 x 16 frequencies against their
median), of 256 bits: with the usual 64, different pages of text are as near to each other
as a page is to its own cropped copy.
"""

from __future__ import annotations

from PIL import Image

#: Raised when pictures get other hashes than before: remembered ones are then void.
VERSION = 2

SIDE = 16  #: frequencies a side
BYTES = SIDE * SIDE // 8

#: Standard deviation, in grey levels of 255, of a picture that has nothing to be known by:
#: blank pages and black frames, whose hash would be that of their noise.
_FLAT = 1.0


def picture_hash(image: Image.Image) -> bytes | None:
    """The hash, 32 bytes; None for a picture of one even colour.

    ``image``: RGB, upright. Sizes, encodings, brightness and contrast hardly change it; a
    mirrored or turned picture, or one cropped by more than a hundredth a side, has another.
    """
    import imagehash
    import numpy as np

    # Shrunk in two steps, a box filter first: seven times as fast on two megapixels, and as
    # good at telling copies from others.
    small = image.convert("L").resize(
        (4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    if np.asarray(small).std() < _FLAT:
        return None
    return np.packbits(imagehash.phash(small, hash_size=SIDE).hash).tobytes()
