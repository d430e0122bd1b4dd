"""The zoom as the model calls it: its schema, its validation, its form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from pydantic import Field
from pydantic_core import ErrorDetails

from pixel_core.config import ZoomConfig
from pixel_core.rollout.call_syntax import (
    Arguments,
    CallErrorKind,
    first_fault,
    quote,
    refuse,
    schema_of,
)

#: The span of a picture whose size is not known while parsing.
_ENDLESS = (math.inf, math.inf)


@dataclass(frozen=True)
class ZoomCall:
    """Look closer at a region: ``box`` in the configured coordinates, ``target`` 1-based."""

    box: tuple[float, float, float, float]
    target: int


Target = Annotated[
    int,
    Field(
        ge=1,
        description="Which picture: counted from 1 over all pictures shown so far, "
        "first the question's, then each crop in order.",
    ),
]


class PixelArguments(Arguments):
    """Arguments in pixels of the picture as shown."""

    bbox_2d: Annotated[
        list[Annotated[int, Field(ge=0)]],
        Field(
            min_length=4,
            max_length=4,
            description="The region [x1, y1, x2, y2] in whole pixels of that picture as "
            "shown: 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height.",
        ),
    ]
    target_image: Target


class NormalizedArguments(Arguments):
    """Arguments in parts of the picture."""

    bbox_2d: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]],
        Field(
            min_length=4,
            max_length=4,
            description="The region [x1, y1, x2, y2] in parts of that picture's width and "
            "height, from 0 to 1, with x1 < x2 and y1 < y2; [0, 0, 1, 1] is all of it.",
        ),
    ]
    target_image: Target


def zoom_schema(zoom: ZoomConfig) -> dict[str, Any]:
    """The operation as the prompt lists it, in the function format of chat templates."""
    about = (
        "Cut a region out of a picture and see it larger. "
        f"The region is widened by {zoom.padding:.0%} of the picture on every side; "
        f"what is cut must be over {zoom.min_side} pixels wide and high."
    )
    parameters = schema_of(_arguments_model(zoom))
    return {
        "type": "function",
        "function": {"name": zoom.name, "description": about, "parameters": parameters},
    }


def zoom_form(zoom: ZoomConfig) -> str:
    return (
        f'write {{"name": "{zoom.name}", "arguments": '
        '{"bbox_2d": [x1, y1, x2, y2], "target_image": 1}}'
    )


def zoom_arguments(call: ZoomCall, zoom: ZoomConfig) -> dict[str, Any]:
    """The call's arguments as they are written."""
    number = _whole if zoom.coordinates == "pixel" else _part
    return {"bbox_2d": [number(value) for value in call.box], "target_image": call.target}


def validate_zoom(arguments: dict[str, Any], zoom: ZoomConfig) -> ZoomCall:
    """The call with these arguments; ``CallError`` for what is wrong with them."""
    parsed = first_fault(_arguments_model(zoom), arguments, zoom_form(zoom))
    if not isinstance(parsed, PixelArguments | NormalizedArguments):
        _refuse_argument(parsed, zoom)  # type: ignore[arg-type]
    x1, y1, x2, y2 = parsed.bbox_2d
    call = ZoomCall((x1, y1, x2, y2), parsed.target_image)
    # What JSON schema cannot say; the far edges of a pixel box depend on the picture.
    check_box(call.box, (1, 1) if zoom.coordinates == "normalized" else _ENDLESS, zoom)
    return call


def check_box(
    box: tuple[float, float, float, float], span: tuple[float, float], zoom: ZoomConfig
) -> None:
    """Raise ``CallError`` unless 0 <= x1 < x2 <= span[0], and so for y with span[1].

    The span is the picture's size in the box's own units: pixels as shown, or (1, 1).
    """
    x1, y1, x2, y2 = box
    if 0 <= x1 < x2 <= span[0] and 0 <= y1 < y2 <= span[1]:
        return
    written = quote(list(box))
    if x1 > x2 or y1 > y2:
        refuse(
            CallErrorKind.BOX_SWAPPED,
            f"bbox_2d {written} is swapped: order it [x1, y1, x2, y2] with x1 < x2, y1 < y2",
        )
    if x1 == x2 or y1 == y2:
        refuse(
            CallErrorKind.BOX_EMPTY,
            f"bbox_2d {written} is empty: it needs x1 < x2 and y1 < y2",
        )
    _outside(written, span, zoom)


def _outside(written: str, span: tuple[float, float], zoom: ZoomConfig) -> NoReturn:
    if zoom.coordinates == "normalized":
        remedy = "write each coordinate as a number from 0 to 1"
    elif math.isinf(span[0]):
        remedy = "pixels start at 0"
    else:
        remedy = f"the picture is shown at {span[0]} x {span[1]} pixels; stay inside"
    refuse(CallErrorKind.BOX_OUTSIDE, f"bbox_2d {written} leaves the picture: {remedy}")


def _refuse_argument(fault: ErrorDetails, zoom: ZoomConfig) -> NoReturn:
    """Say how to write what the schema's validation met first."""
    argument, value, rule = fault["loc"][0], fault["input"], fault["type"]
    shown = quote(value)
    if argument == "target_image":
        if rule == "greater_than_equal":
            refuse(
                CallErrorKind.TARGET_BELOW_ONE,
                f"target_image {shown} does not exist: pictures are counted from 1",
            )
        refuse(
            CallErrorKind.TARGET_NOT_AN_INTEGER,
            f"target_image is {shown}: write a whole number, 1 for the first picture",
        )
    if rule in ("too_short", "too_long"):
        refuse(
            CallErrorKind.BOX_COUNT,
            f"bbox_2d {shown} has {len(value)} numbers: write four, [x1, y1, x2, y2]",
        )
    if rule == "list_type":
        refuse(
            CallErrorKind.BOX_NOT_A_LIST,
            f"bbox_2d is {shown}: write a list of four numbers, [x1, y1, x2, y2]",
        )
    if rule in ("greater_than_equal", "less_than_equal"):
        _outside(shown, (1, 1) if zoom.coordinates == "normalized" else _ENDLESS, zoom)
    if isinstance(value, float):
        refuse(
            CallErrorKind.COORDINATE_NOT_AN_INTEGER,
            f"bbox_2d has {shown}: write whole pixels, such as {round(value)}",
        )
    what = "whole pixels" if zoom.coordinates == "pixel" else "numbers from 0 to 1"
    refuse(
        CallErrorKind.COORDINATE_NOT_A_NUMBER,
        f"bbox_2d has {shown}, not a number: write four {what}",
    )


def _arguments_model(
    zoom: ZoomConfig,
) -> type[PixelArguments] | type[NormalizedArguments]:
    return PixelArguments if zoom.coordinates == "pixel" else NormalizedArguments


def _part(value: float) -> float:
    return float(value) + 0.0  # -0.0 becomes 0.0


def _whole(value: float) -> float:
    """A whole float as an integer; others stay, for the schema to refuse."""
    return int(value) if float(value).is_integer() else value
