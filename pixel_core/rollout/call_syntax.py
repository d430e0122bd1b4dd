"""What can be wrong with a tool call, as data for the metrics and as text for the model."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pixel_core.nesting import TooDeep, check_json_depth

#: A quoted value is cut here: the message is read by a model with a small context.
MAX_QUOTED = 60


class CallErrorKind(StrEnum):
    """Every way a call can be wrong."""

    UNBALANCED_TAGS = "unbalanced_tags"  #: a tag is missing, or they are in the wrong order
    SEVERAL_CALLS = "several_calls"  #: more than one call in a turn
    TOO_LONG = "too_long"  #: more text than any call needs
    TOO_DEEP = "too_deep"  #: brackets nested deeper than any call needs
    NOT_JSON = "not_json"  #: what is between the tags does not parse
    DUPLICATE_KEY = "duplicate_key"  #: a key is given twice in one object
    NOT_FINITE = "not_finite"  #: NaN or Infinity
    NUMBER_TOO_LARGE = "number_too_large"  #: a number no picture can need
    NOT_AN_OBJECT = "not_an_object"  #: the call, or its arguments, is not a JSON object
    MISSING_KEY = "missing_key"  #: no "name" or no "arguments"
    UNKNOWN_KEY = "unknown_key"  #: something beside "name" and "arguments"
    NOT_OFFERED = "not_offered"  #: no operation is offered at all
    UNKNOWN_TOOL = "unknown_tool"  #: the name is no operation's that is offered
    MISSING_ARGUMENT = "missing_argument"  #: such as no bbox_2d
    UNKNOWN_ARGUMENT = "unknown_argument"  #: one that the operation does not have
    BOX_NOT_A_LIST = "box_not_a_list"
    BOX_COUNT = "box_count"  #: not exactly four coordinates
    COORDINATE_NOT_A_NUMBER = "coordinate_not_a_number"  #: text, true, null, a list ...
    COORDINATE_NOT_AN_INTEGER = "coordinate_not_an_integer"  #: 10.0 or 10.5 for a pixel
    BOX_SWAPPED = "box_swapped"  #: x1 > x2 or y1 > y2
    BOX_EMPTY = "box_empty"  #: x1 = x2 or y1 = y2
    BOX_OUTSIDE = "box_outside"  #: reaches over an edge of the picture
    TARGET_NOT_AN_INTEGER = "target_not_an_integer"
    TARGET_BELOW_ONE = "target_below_one"  #: pictures are counted from 1
    TARGET_UNKNOWN = "target_unknown"  #: more pictures than were shown
    CROP_TOO_SMALL = "crop_too_small"  #: too few source pixels, even with the padding
    CROP_TOO_NARROW = "crop_too_narrow"  #: sides over 200 : 1
    FRAMES_NOT_A_LIST = "frames_not_a_list"
    FRAMES_EMPTY = "frames_empty"  #: a list without a frame
    FRAMES_TOO_MANY = "frames_too_many"  #: more than one call may select
    FRAME_NOT_AN_INTEGER = "frame_not_an_integer"
    FRAME_BELOW_ONE = "frame_below_one"  #: frames are counted from 1
    FRAME_REPEATED = "frame_repeated"  #: one frame is asked for twice
    FRAME_UNKNOWN = "frame_unknown"  #: the video has fewer frames


class CallError(Exception):
    """A call that cannot be carried out; ``message`` is meant for the model to read."""

    def __init__(self, kind: CallErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


def refuse(kind: CallErrorKind, message: str) -> NoReturn:
    raise CallError(kind, message)


def quote(value: Any) -> str:
    """A value from a call, safe to put in a message to the model.

    Short, ASCII (a lone surrogate could not be encoded), and without angle brackets, so
    that a call cannot bring special tokens such as ``<|im_end|>`` into the dialogue.
    """
    text = json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e")
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


# JSON for tool calls: no duplicate keys, no NaN, and a bound on every dimension.


#: A canonical call takes about a hundred characters, and nests three deep.
MAX_CHARACTERS = 1000
MAX_DEPTH = 8
#: Digits of an integer; no picture is a billion pixels wide.
MAX_DIGITS = 9


def decode(body: str) -> Any:
    """Parse JSON without the leniencies of ``json``, and with bounds on every dimension."""
    if len(body) > MAX_CHARACTERS:
        refuse(
            CallErrorKind.TOO_LONG,
            f"the call has {len(body)} characters: write only the call's object",
        )
    try:
        check_json_depth(body, MAX_DEPTH)
    except TooDeep as error:
        refuse(
            CallErrorKind.TOO_DEEP,
            f"the call nests {error.depth} brackets: write only the call's object",
        )
    try:
        return json.loads(
            body,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_bounded_int,
            parse_float=_bounded_float,
        )
    except json.JSONDecodeError as error:
        refuse(
            CallErrorKind.NOT_JSON,
            f"the call is not JSON ({error.msg}, character {error.pos + 1}): "
            "write one object in double quotes and plain numbers",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        refuse(CallErrorKind.DUPLICATE_KEY, f"{quote(twice)} is given twice: give it once")
    return value


def _no_constant(text: str) -> NoReturn:
    refuse(CallErrorKind.NOT_FINITE, f"{text} is not a coordinate: write a plain number")


def _bounded_int(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        _too_large(text)
    return int(text)


def _bounded_float(text: str) -> float:
    value = float(text)
    if abs(value) >= 10**MAX_DIGITS:
        _too_large(text)
    return value + 0.0  # -0.0 becomes 0.0


def _too_large(text: str) -> NoReturn:
    refuse(
        CallErrorKind.NUMBER_TOO_LARGE,
        f"{quote(text)} is larger than any picture: write a coordinate inside it",
    )


# What the arguments of every operation have in common.


class Arguments(BaseModel):
    """Strict: no text as numbers, no booleans as numbers, no floats as integers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def schema_of(model: type[Arguments]) -> dict[str, Any]:
    """The JSON schema of an operation's parameters, without what only we read."""
    parameters = model.model_json_schema()
    for name in ("title", "description"):
        parameters.pop(name, None)
    for part in parameters["properties"].values():
        del part["title"]
    return parameters


def first_fault(
    model: type[Arguments], arguments: dict[str, Any], form: str
) -> Arguments | ErrorDetails:
    """The validated arguments, or the first fault that the schema's validation met.

    ``form`` says how the call is written. Raises ``CallError`` for an argument that the
    operation does not have, and for one that is missing.
    """
    for argument in arguments:
        if argument not in model.model_fields:
            refuse(
                CallErrorKind.UNKNOWN_ARGUMENT,
                f"there is no argument {quote(argument)}: {form}",
            )
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    if fault["type"] == "missing":
        refuse(CallErrorKind.MISSING_ARGUMENT, f'there is no "{fault["loc"][0]}": {form}')
    return fault
