"""Calls as others wrote them, turned into ours.

The original's code, paper and model card name the zoom in three ways, and give a box in parts
of the picture or in its pixels. Its rule tells them apart: four numbers below 1 are parts.
Source: Pixel Reasoner's published code (``crop_image_normalized``); the padding is its too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pixel_core.config import DialogueConfig
from pixel_core.dialogue.call_json import decode
from pixel_core.dialogue.calls import (
    CLOSE,
    OPEN,
    Call,
    CallError,
    SelectCall,
    ZoomCall,
    format_call,
)
from pixel_core.exchange.portable import Reason, Rejected
from pixel_core.vision.operations import ShownPicture

ZOOM_NAMES = frozenset({"crop_image_normalized", "crop_image", "zoom_in"})
SELECT_NAMES = frozenset({"select_frames"})

_CALL = re.compile(f"{re.escape(OPEN)}(.*?){re.escape(CLOSE)}", re.DOTALL)

#: Decimals of a part of a picture: a hundredth of a pixel of the largest.
_DECIMALS = 6


def find_call(text: str) -> re.Match[str] | None:
    """The one call in a turn; raises ``Rejected`` for several, and for a torn one."""
    found = list(_CALL.finditer(text))
    opened, closed = text.count(OPEN), text.count(CLOSE)
    if len(found) > 1 or max(opened, closed) > 1:
        raise Rejected(Reason.SEVERAL_CALLS, f"{opened} {OPEN} and {closed} {CLOSE}")
    if len(found) != opened or len(found) != closed:
        raise Rejected(Reason.BAD_CALL, f"{opened} {OPEN} and {closed} {CLOSE}")
    return found[0] if found else None


def our_call(
    body: str, shown: Sequence[ShownPicture], video: bool, dialogue: DialogueConfig
) -> Call:
    """The call between the tags, for the pictures shown so far; raises ``Rejected``."""
    try:
        values = decode(body.strip())
    except CallError as error:
        raise Rejected(Reason.BAD_CALL, str(error)) from error
    name = values.get("name") if isinstance(values, dict) else None
    arguments = values.get("arguments") if isinstance(values, dict) else None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise Rejected(Reason.BAD_CALL, f"no name or arguments in {body.strip()[:80]!r}")
    if name in {*ZOOM_NAMES, dialogue.zoom.name}:
        return _zoom(arguments, shown, dialogue)
    if name in {*SELECT_NAMES, dialogue.frames.name} and video and dialogue.frames.enabled:
        return SelectCall(tuple(_numbers(arguments, "target_frames", whole=True)))
    raise Rejected(Reason.BAD_CALL, f"{name!r} is no operation on this question")


def written(call: Call, video: bool, dialogue: DialogueConfig) -> str:
    """Its text as our models write it. Raises ``Rejected`` for one they may not write."""
    try:
        return format_call(call, dialogue.zoom, dialogue.frames if video else None)
    except ValueError as error:
        raise Rejected(Reason.CALL_REFUSED, str(error)) from error


def _zoom(
    arguments: dict[str, Any], shown: Sequence[ShownPicture], dialogue: DialogueConfig
) -> ZoomCall:
    box = _numbers(arguments, "bbox_2d", whole=False)
    target = arguments.get("target_image")
    if len(box) != 4 or not isinstance(target, int) or isinstance(target, bool):
        raise Rejected(Reason.BAD_CALL, f"bbox_2d {box}, target_image {target!r}")
    if not 1 <= target <= len(shown):
        raise Rejected(
            Reason.CALL_REFUSED, f"target_image {target} of {len(shown)} pictures shown"
        )
    picture = shown[target - 1]
    width, height = picture.image.size
    if not all(value < 1 for value in box):
        box = [value / side for value, side in zip(box, (width, height) * 2, strict=True)]
    if dialogue.zoom.coordinates == "normalized":
        x1, y1, x2, y2 = (round(value, _DECIMALS) for value in box)
        return ZoomCall((x1, y1, x2, y2), target)
    across, down = picture.size
    return ZoomCall(
        (
            math.floor(box[0] * across),
            math.floor(box[1] * down),
            math.ceil(box[2] * across),
            math.ceil(box[3] * down),
        ),
        target,
    )


def _numbers(arguments: dict[str, Any], name: str, *, whole: bool) -> list[Any]:
    values = arguments.get(name)
    kinds = (int,) if whole else (int, float)
    if not isinstance(values, list) or not all(
        isinstance(value, kinds) and not isinstance(value, bool) for value in values
    ):
        raise Rejected(Reason.BAD_CALL, f"{name} is {values!r}"[:120])
    return values
