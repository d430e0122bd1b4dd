"""Converts calls of other people's records to ours.

The original's code, paper and model card have three names for the zoom. The box of
``crop_image_normalized`` is in fractions of the picture, as its name and schema say: 1.0 is the
edge, whatever the size of a number. (Its code takes a box for pixels as soon as one number
reaches 1, a bug that turns ``[0.62, 0.4, 1.0, 0.9]`` into a corner.) ``crop_image`` and
``zoom_in`` were published with fractions and, earlier, with pixels. Whole numbers of which one
is over 1 can only be pixels there: as fractions they leave the picture. Everything else is
fractions. A call under our own configured name uses our configured coordinates.

``target_image`` counts as in the original. For pictures: the question's, then those added.
For a video: before anything was added, 1 is its first frame; afterwards 1 is the whole video,
which can't be cropped, and 2 is the first picture that was added.

Source: Pixel Reasoner's published code (``execute_tool``, ``crop_image_normalized``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pixel_core.config import DialogueConfig
from pixel_core.data.exchange.portable import ImportRefusal, Rejected
from pixel_core.rollout.call_syntax import decode
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.tool_calls import (
    CLOSE,
    OPEN,
    Call,
    CallError,
    SelectCall,
    ZoomCall,
    format_call,
)

PARTS_NAMES = frozenset({"crop_image_normalized"})
ZOOM_NAMES = PARTS_NAMES | {"crop_image", "zoom_in"}
SELECT_NAMES = frozenset({"select_frames"})

_CALL = re.compile(f"{re.escape(OPEN)}(.*?){re.escape(CLOSE)}", re.DOTALL)

#: Decimals of a fraction: a tenth of a pixel of the widest picture.
_DECIMALS = 6
#: How far, in fractions of the picture, a box may reach beyond it and still be clamped; the
#: same as for annotations.
SLACK = 0.05


@dataclass(frozen=True)
class ForeignCall:
    """A call in our terms. ``parts``: the box in fractions of its target; None for frames."""

    call: Call
    parts: tuple[Fraction, Fraction, Fraction, Fraction] | None = None


def find_call(text: str) -> re.Match[str] | None:
    """The only call in a turn; raises ``Rejected`` for several, or for an incomplete one."""
    found = list(_CALL.finditer(text))
    opened, closed = text.count(OPEN), text.count(CLOSE)
    if len(found) > 1 or max(opened, closed) > 1:
        raise Rejected(ImportRefusal.SEVERAL_CALLS, f"{opened} {OPEN} and {closed} {CLOSE}")
    if len(found) != opened or len(found) != closed:
        raise Rejected(ImportRefusal.BAD_CALL, f"{opened} {OPEN} and {closed} {CLOSE}")
    return found[0] if found else None


def our_call(
    body: str, shown: Sequence[ShownPicture], frames: int, dialogue: DialogueConfig
) -> ForeignCall:
    """The call between the tags, given the pictures shown so far; raises ``Rejected``.

    ``frames``: how many of those, the first, are the frames of a video; 0 for pictures.
    """
    try:
        values = decode(body.strip())
    except CallError as error:
        raise Rejected(ImportRefusal.BAD_CALL, str(error)) from error
    name = values.get("name") if isinstance(values, dict) else None
    arguments = values.get("arguments") if isinstance(values, dict) else None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise Rejected(ImportRefusal.BAD_CALL, f"no name or arguments in {body.strip()[:80]!r}")
    if name in ZOOM_NAMES:
        target, box = _target(arguments, shown, frames), _box(arguments)
        pixels = name not in PARTS_NAMES and _are_pixels(box)
        span = shown[target - 1].image.size if pixels else (1, 1)
        return _zoom(box, span, target, shown, dialogue)
    if name == dialogue.zoom.name:
        target, box = _target(arguments, shown, 0), _box(arguments)
        pixels = dialogue.zoom.coordinates == "pixel"
        span = shown[target - 1].size if pixels else (1, 1)
        return _zoom(box, span, target, shown, dialogue)
    if name in {*SELECT_NAMES, dialogue.frames.name} and frames and dialogue.frames.enabled:
        return ForeignCall(SelectCall(tuple(_numbers(arguments, "target_frames", whole=True))))
    raise Rejected(ImportRefusal.BAD_CALL, f"{name!r} is no operation on this question")


def around(low: Fraction, high: Fraction, side: int) -> tuple[int, int]:
    """The whole pixels of ``side`` around a range in fractions of it, rounded outward.

    A bound that six decimals can't tell from a whole pixel is that pixel: so a box of pixels
    survives being written with six decimals.
    """
    blur = min(Fraction(side, 10**_DECIMALS), Fraction(1, 4))
    start = max(0, math.floor(low * side + blur))
    stop = min(side, max(start + 1, math.ceil(high * side - blur)))
    return start, stop


def written(call: Call, video: bool, dialogue: DialogueConfig) -> str:
    """The call as our models write it. Raises ``Rejected`` if the dialogue forbids it."""
    try:
        return format_call(call, dialogue.zoom, dialogue.frames if video else None)
    except ValueError as error:
        raise Rejected(ImportRefusal.CALL_REFUSED, str(error)) from error


def _zoom(
    box: list[Any],
    span: tuple[int, int],
    target: int,
    shown: Sequence[ShownPicture],
    dialogue: DialogueConfig,
) -> ForeignCall:
    """A zoom from a box in units of which the target has ``span`` across and down."""
    values = _clamped(box, span)
    x1, y1, x2, y2 = (
        Fraction(repr(value)) / side for value, side in zip(values, span * 2, strict=True)
    )
    exact = (x1, y1, x2, y2)
    if x1 >= x2 or y1 >= y2:
        raise Rejected(ImportRefusal.CALL_REFUSED, f"bbox_2d {box} is swapped or empty")
    if dialogue.zoom.coordinates == "normalized":
        left, top, right, bottom = (round(float(value), _DECIMALS) for value in exact)
        return ForeignCall(ZoomCall((left, top, right, bottom), target), exact)
    across, down = shown[target - 1].size
    (start, stop), (above, below) = around(x1, x2, across), around(y1, y2, down)
    return ForeignCall(ZoomCall((start, above, stop, below), target), exact)


def _are_pixels(box: list[Any]) -> bool:
    return max(box) > 1 and all(value == int(value) for value in box if math.isfinite(value))


def _clamped(box: list[Any], span: tuple[int, int]) -> list[Any]:
    """The box inside (0, 0) to ``span``. Raises ``Rejected`` for one further outside than
    ``SLACK``."""
    clamped = []
    for value, side in zip(box, span * 2, strict=True):
        # Written with "not", so that NaN is refused too.
        if not -SLACK * side <= value <= (1 + SLACK) * side:
            what = "in parts, from 0 to 1" if span == (1, 1) else f"{span[0]} x {span[1]}"
            raise Rejected(
                ImportRefusal.CALL_REFUSED, f"bbox_2d {box} leaves the picture ({what})"
            )
        clamped.append(min(max(value, 0), side))
    return clamped


def _target(arguments: dict[str, Any], shown: Sequence[ShownPicture], frames: int) -> int:
    """The number (from 1) of the targeted picture; see the module docstring."""
    target = arguments.get("target_image")
    if not isinstance(target, int) or isinstance(target, bool):
        raise Rejected(ImportRefusal.BAD_CALL, f"target_image {target!r} is no whole number")
    added = len(shown) - frames
    low, high = (2, added + 1) if frames and added else (1, len(shown))
    if not low <= target <= high:
        raise Rejected(
            ImportRefusal.CALL_REFUSED, f"target_image {target}, it can be from {low} to {high}"
        )
    return target + frames - 1 if frames and added else target


def _box(arguments: dict[str, Any]) -> list[Any]:
    box = _numbers(arguments, "bbox_2d", whole=False)
    if len(box) != 4:
        raise Rejected(ImportRefusal.BAD_CALL, f"bbox_2d {box} has not four numbers"[:120])
    return box


def _numbers(arguments: dict[str, Any], name: str, *, whole: bool) -> list[Any]:
    values = arguments.get(name)
    kinds = (int,) if whole else (int, float)
    if not isinstance(values, list) or not all(
        isinstance(value, kinds) and not isinstance(value, bool) for value in values
    ):
        raise Rejected(ImportRefusal.BAD_CALL, f"{name} is {values!r}"[:120])
    return values
