"""From an answer's position as the page reports it to its box in the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops

from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Box

#: The share of an answer's area that must be visible.
_WHOLE = 0.9
#: A change of a colour channel (of 255) that counts as ink, not noise.
_INK = 16
#: Pixels by which letters may overhang their line's box.
_REACH = 3


@dataclass(frozen=True, slots=True)
class AnswerToFind:
    """An answer to find; ``occurrence`` counts from 1, None: it must be unique."""

    answer: str
    occurrence: int | None


def place_of(
    wanted: AnswerToFind, found: Mapping[str, Any], shown: Image.Image, hidden: Image.Image
) -> Box | PictureFault:
    """An answer's box in pixels of the picture, or why it has none.

    ``found`` is what ``pageAnswers.find`` in ``pages_answer.js`` returns; ``hidden`` is the
    picture (RGB) without the answers' ink.
    """
    if not found["count"]:
        if found["hidden"]:
            return PictureFault(
                "is in the page's text but can't be seen there",
                "make it visible, or leave the record out",
            )
        return PictureFault("is not in the page's text", "write it as the page does")
    if "rects" not in found:
        times = "once" if found["count"] == 1 else f"{found['count']} times"
        if wanted.occurrence is None:
            return PictureFault(
                f"stands on the page {times}",
                'say which is meant: "occurrence": 1 is the first',
            )
        return PictureFault(
            f"stands on the page {times}, not {wanted.occurrence}", "mend its occurrence"
        )
    if found["share"] < _WHOLE:
        return PictureFault(
            "is cut off on the page", "widen ingest.pages.width, or mend the page"
        )
    box = _around(found["rects"], shown.size)
    inked: Box | None = box
    if not found["painted"]:
        inked = _with_ink(box, shown, hidden)
    elif all(high - low <= _INK for low, high in _extremes(shown, box)):
        # A highlight keeps this text's ink, but there is only one colour.
        inked = None
    if inked is None:
        return PictureFault(
            "is on the page but can't be seen there: covered, or of its background's colour",
            "make it visible, or leave the record out",
        )
    return inked


def _around(rects: list[list[float]], size: tuple[int, int]) -> Box:
    """The smallest box of whole pixels around rectangles (x1, y1, x2, y2) in the picture."""
    x1, y1, x2, y2 = zip(*rects, strict=True)
    return _clamped(
        (math.floor(min(x1)), math.floor(min(y1)), math.ceil(max(x2)), math.ceil(max(y2))),
        size,
    )


def _with_ink(box: Box, shown: Image.Image, hidden: Image.Image) -> Box | None:
    """The box, widened where letters overhang it (slanted ones, long descenders); None if
    there is no ink in it."""
    near = _clamped(
        (box.x1 - _REACH, box.y1 - _REACH, box.x2 + _REACH, box.y2 + _REACH), shown.size
    )
    changed = ImageChops.difference(shown.crop(near.as_tuple()), hidden.crop(near.as_tuple()))
    bands = [band.point(lambda value: 255 * (value > _INK)) for band in changed.split()]
    ink = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2]).getbbox()
    if ink is None:
        return None
    x1, y1, x2, y2 = ink
    return Box(
        x1=min(box.x1, near.x1 + x1),
        y1=min(box.y1, near.y1 + y1),
        x2=max(box.x2, near.x1 + x2),
        y2=max(box.y2, near.y1 + y2),
    )


def _clamped(edges: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = edges
    return Box(x1=max(0, x1), y1=max(0, y1), x2=min(size[0], x2), y2=min(size[1], y2))


def _extremes(image: Image.Image, box: Box) -> list[tuple[int, int]]:
    """Minimum and maximum of each channel of an RGB image in a box."""
    return [channel.getextrema() for channel in image.crop(box.as_tuple()).split()]  # type: ignore[misc]
