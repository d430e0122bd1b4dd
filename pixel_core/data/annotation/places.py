"""Boxes and frames that a model names become cues, or are told back to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pixel_core.data.annotation.outcome import AnnotationFault, Unusable
from pixel_core.records import Box, Cue, FrameCue, Picture

#: A box with at least this share of the picture's area, or as large a share of a video's
#: frames, is the whole of it: no cue.
WHOLE = 0.9
#: The largest share of a photo's area that a proposed region may cover.
SMALL = 0.1
#: How far a coordinate may leave 0..1 and still be pulled back to the edge.
SLACK = 0.05
#: Pixels of the original that a box's sides need: less shows nothing.
MIN_SIDE = 4


def cue_in(
    pictures: Sequence[Picture], number: int, box: Sequence[float]
) -> tuple[Cue | None, bool]:
    """The cue of a box in picture ``number`` (from 1), and whether it was repaired.

    The box is in parts of the picture, rounded outwards to pixels. Swapped corners are put
    in order; those up to ``SLACK`` outside are pulled to the edge. None for a box around
    the whole picture. ``Unusable`` for everything else out of contract.
    """
    if not 1 <= number <= len(pictures):
        raise Unusable(
            AnnotationFault.PLACE, f"picture {number} is not from 1 to {len(pictures)}"
        )
    picture = pictures[number - 1]
    (x1, y1, x2, y2), repaired = _corners(box)
    if (x2 - x1) * (y2 - y1) >= WHOLE:
        return None, repaired
    pixels = Box(
        x1=math.floor(x1 * picture.width),
        y1=math.floor(y1 * picture.height),
        x2=math.ceil(x2 * picture.width),
        y2=math.ceil(y2 * picture.height),
    )
    if min(pixels.x2 - pixels.x1, pixels.y2 - pixels.y1) < MIN_SIDE:
        raise Unusable(
            AnnotationFault.TOO_SMALL,
            f"box {list(box)} is only a few pixels of the picture; take in all of the evidence",
        )
    return Cue(box=pixels, picture=number - 1), repaired


def small_cue_in(picture: Picture, box: Sequence[float]) -> tuple[Cue, bool]:
    """The same for a proposed region, which must be a small part of the photo."""
    cue, repaired = cue_in((picture,), 1, box)
    if cue is None or cue.box.area > SMALL * picture.width * picture.height:
        raise Unusable(
            AnnotationFault.NOT_SMALL,
            f"box {list(box)} covers more than {SMALL:.0%} of the picture; choose a small "
            "detail and draw the box tightly around it",
        )
    return cue, repaired


def frames_in(count: int, numbers: Sequence[int]) -> tuple[FrameCue | None, bool]:
    """The cue of frames of a video (numbers from 1), and whether their order was mended.

    None when they are (nearly) all of the ``count`` frames. ``Unusable`` for none, and for
    numbers that the video does not have.
    """
    if not numbers:
        raise Unusable(
            AnnotationFault.PLACE, "frames is empty; name the frames that show the evidence"
        )
    wrong = next((number for number in numbers if not 1 <= number <= count), None)
    if wrong is not None:
        raise Unusable(AnnotationFault.PLACE, f"frame {wrong} is not from 1 to {count}")
    ordered = sorted(set(numbers))
    repaired = ordered != list(numbers)
    if len(ordered) >= WHOLE * count:
        return None, repaired
    return FrameCue(frames=tuple(number - 1 for number in ordered)), repaired


def _corners(box: Sequence[float]) -> tuple[tuple[float, float, float, float], bool]:
    """The box in order and inside 0..1, and whether that changed it."""
    if len(box) != 4:
        raise Unusable(
            AnnotationFault.PLACE,
            f"box has {len(box)} numbers, it needs four: [x1, y1, x2, y2]",
        )
    if not all(-SLACK <= value <= 1 + SLACK for value in box):  # NaN fails too
        raise Unusable(
            AnnotationFault.PLACE,
            f"box {list(box)} is not in parts of the picture: numbers from 0 to 1",
        )
    clamped = [min(1.0, max(0.0, value)) for value in box]
    x1, x2 = sorted((clamped[0], clamped[2]))
    y1, y2 = sorted((clamped[1], clamped[3]))
    if x1 == x2 or y1 == y2:
        raise Unusable(
            AnnotationFault.PLACE, f"box {list(box)} is empty: it needs x1 < x2 and y1 < y2"
        )
    return (x1, y1, x2, y2), [x1, y1, x2, y2] != list(box)
