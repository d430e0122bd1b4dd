"""The tokens that open a call, for episodes in which none can be made."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, overload

from pixel_core.config import FramesConfig, ZoomConfig
from pixel_core.rollout.call_syntax import CallError, CallErrorKind, decode, quote, refuse
from pixel_core.rollout.select_call import (
    SelectCall,
    select_form,
    select_schema,
    validate_select,
)
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.rollout.zoom_call import (
    ZoomCall,
    check_box,
    validate_zoom,
    zoom_arguments,
    zoom_form,
    zoom_schema,
)

# The syntax of a tool call: what the model is told, what is accepted, what is written.
#
# A call is ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>`` (Qwen's function-call
# format). Each operation's argument model is the one truth: ``tool_schemas`` prints its JSON
# schema, ``parse_turn`` validates with it, ``format_call`` writes nothing it refuses.
#
# A bad call is data: every way to get it wrong has a ``CallErrorKind``, counted in the
# metrics, and a text that goes back to the model and says how to call it right.


__all__ = [
    "CLOSE",
    "OPEN",
    "Call",
    "CallError",
    "CallErrorKind",
    "SelectCall",
    "ZoomCall",
    "check_box",
    "format_call",
    "parse_turn",
    "tool_schemas",
]

OPEN = "<tool_call>"
CLOSE = "</tool_call>"

Call = ZoomCall | SelectCall


def tool_schemas(zoom: ZoomConfig, frames: FramesConfig | None = None) -> list[dict[str, Any]]:
    """The operations as the prompt lists them; ``frames`` where the question is a video."""
    return [zoom_schema(zoom)] + ([] if frames is None else [select_schema(frames)])


@overload
def parse_turn(text: str, zoom: ZoomConfig) -> ZoomCall | None: ...
@overload
def parse_turn(text: str, zoom: ZoomConfig, frames: FramesConfig | None) -> Call | None: ...
def parse_turn(text: str, zoom: ZoomConfig, frames: FramesConfig | None = None) -> Call | None:
    """The call in an assistant's turn; None when there is none.

    ``frames``: given where frames can be selected, that is for a video. Text around the
    call is allowed. What depends on the pictures (an upper bound of an index, a pixel
    box's far edges) is checked by ``vision.operations``. Raises ``CallError`` for anything
    that is not exactly one well-formed call.
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
    name, arguments = _parts(decode(text[start:stop]), zoom, frames)
    if frames is not None and name == frames.name:
        return validate_select(_object(arguments, select_form(frames)), frames)
    if name != zoom.name:
        offered = f'the only one is "{zoom.name}"'
        if frames is not None:
            offered = f'use "{zoom.name}" or "{frames.name}"'
        refuse(CallErrorKind.UNKNOWN_TOOL, f"there is no tool {quote(name)}: {offered}")
    return validate_zoom(_object(arguments, zoom_form(zoom)), zoom)


def format_call(call: Call, zoom: ZoomConfig, frames: FramesConfig | None = None) -> str:
    """The canonical text of a call. ``ValueError`` for one that ``parse_turn`` refuses."""
    name, arguments = zoom.name, dict[str, Any]()
    if isinstance(call, ZoomCall):
        arguments = zoom_arguments(call, zoom)
    elif frames is None:
        raise ValueError(f"{call} must not be written: frames can't be selected here")
    else:
        name, arguments = frames.name, {"target_frames": list(call.frames)}
    text = f"{OPEN}{json.dumps({'name': name, 'arguments': arguments})}{CLOSE}"
    try:
        parse_turn(text, zoom, frames)
    except CallError as error:
        raise ValueError(f"{call} must not be written: {error}") from error
    return text


def _parts(call: Any, zoom: ZoomConfig, frames: FramesConfig | None) -> tuple[Any, Any]:
    """Name and arguments, whatever they are."""
    form = zoom_form(zoom)
    if frames is not None:
        form += f", or {select_form(frames)}"
    if not isinstance(call, dict):
        refuse(CallErrorKind.NOT_AN_OBJECT, f"the call is {quote(call)}: {form}")
    for key in ("name", "arguments"):
        if key not in call:
            refuse(CallErrorKind.MISSING_KEY, f'the call has no "{key}": {form}')
    for key in call:
        if key not in ("name", "arguments"):
            refuse(CallErrorKind.UNKNOWN_KEY, f"the call has {quote(key)}: {form}")
    return call["name"], call["arguments"]


def _object(arguments: Any, form: str) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        refuse(
            CallErrorKind.NOT_AN_OBJECT,
            f'"arguments" is {quote(arguments)}, not an object: {form}',
        )
    return arguments


def opening_tokens(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Every token whose text has the opening tag in it, ascending.

    In Qwen2.5's vocabulary that is one added token; the tiny model's has the tag and the
    operation's name in one. Letter by letter the tag can still be written, in either: such a
    call is refused when the turn is read.
    """
    return _opening(vocabulary.tokenizer)


@lru_cache(maxsize=8)
def _opening(tokenizer: Any) -> tuple[int, ...]:
    # Byte-level vocabularies spell ASCII as itself, so the tag can be looked for as it is.
    tokens = tokenizer.get_vocab().items()
    return tuple(sorted(int(index) for token, index in tokens if OPEN in token))
