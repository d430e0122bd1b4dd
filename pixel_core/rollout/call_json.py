"""JSON for tool calls: no duplicate keys, no NaN, and a bound on every dimension."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pixel_core.nesting import TooDeep, check_json_depth
from pixel_core.rollout.call_syntax import CallErrorKind, quote, refuse

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
