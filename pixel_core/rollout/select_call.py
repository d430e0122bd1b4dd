"""The choice of a video's frames as the model calls it: its schema, validation, and form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, NoReturn

from pydantic import Field, create_model
from pydantic_core import ErrorDetails

from pixel_core.config import FramesConfig
from pixel_core.rollout.call_syntax import (
    Arguments,
    CallErrorKind,
    first_fault,
    quote,
    refuse,
    schema_of,
)


@dataclass(frozen=True)
class SelectCall:
    """See these frames of the video larger: 1-based, in the order they shall be shown."""

    frames: tuple[int, ...]


def select_schema(frames: FramesConfig) -> dict[str, Any]:
    """The operation as the prompt lists it, in the function format of chat templates."""
    return {
        "type": "function",
        "function": {
            "name": frames.name,
            "description": "See some frames of the video larger.",
            "parameters": schema_of(_arguments_model(frames.max_frames)),
        },
    }


def select_form(frames: FramesConfig) -> str:
    return f'write {{"name": "{frames.name}", "arguments": {{"target_frames": [1, 2]}}}}'


def validate_select(arguments: dict[str, Any], frames: FramesConfig) -> SelectCall:
    """The call with these arguments; ``CallError`` for what is wrong with them.

    How many frames the video has is checked by ``vision.operations.select``.
    """
    parsed = first_fault(_arguments_model(frames.max_frames), arguments, select_form(frames))
    if not isinstance(parsed, Arguments):
        _refuse_argument(parsed, frames)
    chosen: list[int] = parsed.target_frames  # type: ignore[attr-defined]
    for place, frame in enumerate(chosen):
        if frame in chosen[:place]:
            refuse(
                CallErrorKind.FRAME_REPEATED,
                f"target_frames has {quote(frame)} twice: name each frame once",
            )
    return SelectCall(tuple(chosen))


def _refuse_argument(fault: ErrorDetails, frames: FramesConfig) -> NoReturn:
    """Say how to write what the schema's validation met first."""
    value, rule = fault["input"], fault["type"]
    shown = quote(value)
    if rule == "list_type":
        refuse(
            CallErrorKind.FRAMES_NOT_A_LIST,
            f"target_frames is {shown}: write a list of frame numbers, such as [1, 2]",
        )
    if rule == "too_short":
        refuse(
            CallErrorKind.FRAMES_EMPTY,
            "target_frames is empty: name at least one frame, such as [1]",
        )
    if rule == "too_long":
        refuse(
            CallErrorKind.FRAMES_TOO_MANY,
            f"target_frames has {len(value)} frames: at most {frames.max_frames} can be seen "
            "in one call; choose those that matter",
        )
    if rule == "greater_than_equal":
        refuse(
            CallErrorKind.FRAME_BELOW_ONE,
            f"target_frames has {shown}: frames are counted from 1",
        )
    refuse(
        CallErrorKind.FRAME_NOT_AN_INTEGER,
        f"target_frames has {shown}: write whole numbers, 1 for the first frame",
    )


@lru_cache
def _arguments_model(max_frames: int) -> type[Arguments]:
    chosen = Annotated[
        list[Annotated[int, Field(ge=1)]],
        Field(
            min_length=1,
            max_length=max_frames,
            description="Which frames of the video: counted from 1, each at most once, "
            f"no more than {max_frames} in a call.",
        ),
    ]
    return create_model("SelectArguments", __base__=Arguments, target_frames=chosen)
