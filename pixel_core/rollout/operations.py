"""The visual operations: a region of a shown picture, or frames of a video, shown larger.

Three frames of reference meet here. A call names its box in pixels of the target *as
shown* (after the budget) or in parts of it; pixels are cut from the target's *source*,
never from its downscaled view; and the result knows its region of the *original* picture.
A source is a plain cut of its original, so one source pixel is one original pixel.

Source: Pixel Reasoner (arXiv 2505.15966), section 3. Unlike its code, indices never count
from the end, a coordinate of 1.0 is an edge, and boxes are rounded outward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from pixel_core.config import DialogueConfig, PixelBudget, ZoomConfig
from pixel_core.errors import MediaError
from pixel_core.media.budget import MAX_ASPECT_RATIO, fit
from pixel_core.records import Box
from pixel_core.rollout.tool_calls import (
    CallError,
    CallErrorKind,
    SelectCall,
    ZoomCall,
    check_box,
)


@dataclass(frozen=True)
class ShownPicture:
    """A picture in the dialogue: a query's own, a crop, or a selected frame."""

    #: Source pixels, RGB, before the budget.
    image: Image.Image
    #: (width, height) in pixels as shown, after the budget.
    size: tuple[int, int]
    #: What it shows, in pixels of the original picture.
    region: Box
    #: Which of the query's pictures the original is, 0-based.
    picture: int


def show(image: Image.Image, picture_index: int, budget: PixelBudget) -> ShownPicture:
    """A whole picture as it enters the dialogue. ``MediaError`` if it cannot be shown."""
    width, height = image.size
    return ShownPicture(
        image=image,
        size=fit(width, height, budget),
        region=Box(x1=0, y1=0, x2=width, y2=height),
        picture=picture_index,
    )


def zoom(
    call: ZoomCall, shown: Sequence[ShownPicture], dialogue: DialogueConfig
) -> ShownPicture:
    """Carry out a call on the pictures shown so far; ``call.target`` counts them from 1.

    The box is scaled to source pixels, padded by ``padding`` of the target's source on
    every side, rounded outward and clamped to the target. Raises ``CallError`` when the
    target does not exist, the box leaves it, or the crop would be too small or too narrow.
    """
    if not 1 <= call.target <= len(shown):
        raise CallError(
            CallErrorKind.TARGET_UNKNOWN,
            f"target_image {call.target} does not exist: {_choices(len(shown))}",
        )
    target = shown[call.target - 1]
    span = target.size if dialogue.zoom.coordinates == "pixel" else (1, 1)
    check_box(call.box, span, dialogue.zoom)
    x1, y1, x2, y2 = call.box
    width, height = target.image.size
    padding = _exact(dialogue.zoom.padding)
    left, right = _source_range(x1, x2, span[0], width, padding)
    top, bottom = _source_range(y1, y2, span[1], height, padding)
    _check_crop(right - left, bottom - top, target, dialogue.zoom)
    try:
        size = fit(right - left, bottom - top, dialogue.crop)
    except MediaError:
        raise CallError(
            CallErrorKind.CROP_TOO_NARROW,
            f"the crop would be {right - left} x {bottom - top} pixels: ask for a box whose "
            f"longer side is at most {MAX_ASPECT_RATIO} times the shorter",
        ) from None
    origin = target.region
    return ShownPicture(
        image=target.image.crop((left, top, right, bottom)),
        size=size,
        region=Box(
            x1=origin.x1 + left,
            y1=origin.y1 + top,
            x2=origin.x1 + right,
            y2=origin.y1 + bottom,
        ),
        picture=target.picture,
    )


def select(
    call: SelectCall, frames: Sequence[ShownPicture], dialogue: DialogueConfig
) -> list[ShownPicture]:
    """The frames of a call as they are shown then; ``call.frames`` counts them from 1.

    ``frames``: the video as the question showed it. Raises ``CallError`` for a frame that
    it does not have.
    """
    for number in call.frames:
        if not 1 <= number <= len(frames):
            raise CallError(
                CallErrorKind.FRAME_UNKNOWN,
                f"frame {number} does not exist: the video has the frames 1 to {len(frames)}",
            )
    chosen = [frames[number - 1] for number in call.frames]
    return [show(frame.image, frame.picture, dialogue.frames.selected) for frame in chosen]


def _source_range(
    low: float, high: float, span: int, source: int, padding: Fraction
) -> tuple[int, int]:
    """One axis of a box, from a span of ``span`` units to ``source`` pixels.

    Fractions, because 0.29 of 100 pixels is pixel 29: binary floats say 28.999... and
    rounding outward would take a pixel that nobody asked for.
    """
    start = math.floor((_exact(low) / span - padding) * source)
    stop = math.ceil((_exact(high) / span + padding) * source)
    return max(0, start), min(source, stop)


def _exact(value: float) -> Fraction:
    """The number as it was written: the shortest decimal that reads as this float."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))


def _check_crop(width: int, height: int, target: ShownPicture, zoom: ZoomConfig) -> None:
    if min(width, height) > zoom.min_side:
        return
    if min(target.image.size) <= zoom.min_side:
        remedy = "that picture is too small to zoom into: use another one, or answer"
    else:
        remedy = "ask for a larger box"
    raise CallError(
        CallErrorKind.CROP_TOO_SMALL,
        f"the crop would be {width} x {height} pixels; both sides must be over "
        f"{zoom.min_side}: {remedy}",
    )


def _choices(count: int) -> str:
    if count == 0:
        return "no picture was shown"
    return "only 1 can be chosen" if count == 1 else f"choose one from 1 to {count}"
