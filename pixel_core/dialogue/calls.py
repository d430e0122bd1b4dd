"""The syntax of a tool call: what the model is told, what is accepted, what is written.

A call is ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>`` (Qwen's function-call
format). The argument models below are the one truth: ``tool_schema`` prints their JSON
schema, ``parse_turn`` validates with them, ``format_call`` writes nothing they refuse.

A bad call is data: every way to get it wrong has a ``CallErrorKind``, counted in the
metrics, and a text that goes back to the model and says how to call it right.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pixel_core.config import ZoomConfig
from pixel_core.dialogue.call_errors import CallError, CallErrorKind, quote, refuse
from pixel_core.dialogue.call_json import decode

__all__ = [
    "CLOSE",
    "OPEN",
    "CallError",
    "CallErrorKind",
    "ZoomCall",
    "check_box",
    "format_call",
    "parse_turn",
    "tool_schema",
]

OPEN = "<tool_call>"
CLOSE = "</tool_call>"

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


class _Arguments(BaseModel):
    # Strict: no text as numbers, no booleans as numbers, no floats as integers.
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PixelArguments(_Arguments):
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


class NormalizedArguments(_Arguments):
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


def tool_schema(zoom: ZoomConfig) -> dict[str, Any]:
    """The operation as the prompt lists it, in the function format of chat templates."""
    parameters = _arguments_model(zoom).model_json_schema()
    for name in ("title", "description"):
        del parameters[name]
    for part in parameters["properties"].values():
        del part["title"]
    about = (
        "Cut a region out of a picture and see it larger. "
        f"The region is widened by {zoom.padding:.0%} of the picture on every side; "
        f"what is cut must be over {zoom.min_side} pixels wide and high."
    )
    return {
        "type": "function",
        "function": {"name": zoom.name, "description": about, "parameters": parameters},
    }


def parse_turn(text: str, zoom: ZoomConfig) -> ZoomCall | None:
    """The call in an assistant's turn; None when there is none.

    Text around the call is allowed. What depends on the pictures (an upper bound of the
    index, a pixel box's far edges) is checked by ``vision.operations.zoom``. Raises
    ``CallError`` for anything that is not exactly one well-formed call.
    """
    opened, closed = text.count(OPEN), text.count(CLOSE)
    if not opened and not closed:
        return None
    start, stop = text.find(OPEN) + len(OPEN), text.find(CLOSE)
    if opened != closed or stop < start:
        refuse(
            CallErrorKind.UNBALANCED_TAGS,
            f"found {opened} {OPEN} and {closed} {CLOSE}: write one of each around the call",
        )
    if opened > 1:
        refuse(CallErrorKind.SEVERAL_CALLS, f"found {opened} calls: make one call a turn")
    return _validate(_arguments_of(decode(text[start:stop]), zoom), zoom)


def format_call(call: ZoomCall, zoom: ZoomConfig) -> str:
    """The canonical text of a call. ``ValueError`` for one that ``parse_turn`` refuses."""
    number = _whole if zoom.coordinates == "pixel" else _part
    arguments = {"bbox_2d": [number(value) for value in call.box], "target_image": call.target}
    text = f"{OPEN}{json.dumps({'name': zoom.name, 'arguments': arguments})}{CLOSE}"
    try:
        parse_turn(text, zoom)
    except CallError as error:
        raise ValueError(f"{call} must not be written: {error}") from error
    return text


def check_box(
    box: tuple[float, float, float, float], span: tuple[float, float], zoom: ZoomConfig
) -> None:
    """Raise ``CallError`` unless 0 <= x1 < x2 <= span[0], and so for y with span[1].

    The span is the picture's size in the box's own units: pixels as shown, or (1, 1).
    """
    x1, y1, x2, y2 = box
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
    if not (0 <= x1 < x2 <= span[0] and 0 <= y1 < y2 <= span[1]):
        _outside(written, span, zoom)


def _outside(written: str, span: tuple[float, float], zoom: ZoomConfig) -> NoReturn:
    if zoom.coordinates == "normalized":
        remedy = "write each coordinate as a number from 0 to 1"
    elif math.isinf(span[0]):
        remedy = "pixels start at 0"
    else:
        remedy = f"the picture is shown at {span[0]} x {span[1]} pixels; stay inside"
    refuse(CallErrorKind.BOX_OUTSIDE, f"bbox_2d {written} leaves the picture: {remedy}")


# --- from an object to a call ---------------------------------------------------------


def _arguments_of(call: Any, zoom: ZoomConfig) -> dict[str, Any]:
    if not isinstance(call, dict):
        refuse(CallErrorKind.NOT_AN_OBJECT, f"the call is {quote(call)}: {_form(zoom)}")
    for key in ("name", "arguments"):
        if key not in call:
            refuse(CallErrorKind.MISSING_KEY, f'the call has no "{key}": {_form(zoom)}')
    for key in call:
        if key not in ("name", "arguments"):
            refuse(CallErrorKind.UNKNOWN_KEY, f"the call has {quote(key)}: {_form(zoom)}")
    name, arguments = call["name"], call["arguments"]
    if name != zoom.name:
        refuse(
            CallErrorKind.UNKNOWN_TOOL,
            f'there is no tool {quote(name)}: the only one is "{zoom.name}"',
        )
    if not isinstance(arguments, dict):
        refuse(
            CallErrorKind.NOT_AN_OBJECT,
            f'"arguments" is {quote(arguments)}, not an object: {_form(zoom)}',
        )
    return arguments


def _validate(arguments: dict[str, Any], zoom: ZoomConfig) -> ZoomCall:
    model = _arguments_model(zoom)
    for argument in arguments:
        if argument not in model.model_fields:
            refuse(
                CallErrorKind.UNKNOWN_ARGUMENT,
                f"there is no argument {quote(argument)}: {_form(zoom)}",
            )
    try:
        parsed = model.model_validate(arguments)
    except ValidationError as error:
        _refuse_argument(error.errors(include_url=False)[0], zoom)
    x1, y1, x2, y2 = parsed.bbox_2d
    call = ZoomCall((x1, y1, x2, y2), parsed.target_image)
    # What JSON schema cannot say; the far edges of a pixel box depend on the picture.
    check_box(call.box, (1, 1) if zoom.coordinates == "normalized" else _ENDLESS, zoom)
    return call


def _refuse_argument(fault: ErrorDetails, zoom: ZoomConfig) -> NoReturn:
    """Name what the schema's validation met first."""
    argument, value, rule = fault["loc"][0], fault["input"], fault["type"]
    shown = quote(value)
    if rule == "missing":
        refuse(CallErrorKind.MISSING_ARGUMENT, f'there is no "{argument}": {_form(zoom)}')
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


def _form(zoom: ZoomConfig) -> str:
    return (
        f'write {{"name": "{zoom.name}", "arguments": '
        '{"bbox_2d": [x1, y1, x2, y2], "target_image": 1}}'
    )


def _part(value: float) -> float:
    return float(value) + 0.0  # -0.0 becomes 0.0


def _whole(value: float) -> float:
    """A whole float as an integer; others stay, for the schema to refuse."""
    return int(value) if float(value).is_integer() else value
