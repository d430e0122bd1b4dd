"""Calls as texts, and how they are refused."""

import jsonschema
import pytest
from hypothesis import strategies as st

from pixel_core.config import ZoomConfig
from pixel_core.rollout.tool_calls import (
    CallError,
    CallErrorKind,
    ZoomCall,
    parse_turn,
    tool_schemas,
)

PIXEL = ZoomConfig(coordinates="pixel")
NORMALIZED = ZoomConfig(coordinates="normalized")
BOTH = pytest.mark.parametrize("zoom", [PIXEL, NORMALIZED], ids=lambda z: z.coordinates)

targets = st.integers(1, 10**9 - 1)


def spans(numbers):
    return st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1]).map(sorted)


def calls(numbers):
    return st.builds(
        lambda x, y, target: ZoomCall((x[0], y[0], x[1], y[1]), target),
        spans(numbers),
        spans(numbers),
        targets,
    )


def tagged(body: str) -> str:
    return f"<tool_call>{body}</tool_call>"


def written(box: str = "[0, 0, 1, 1]", target: str = "1", name: str = '"zoom_in"') -> str:
    arguments = f'{{"bbox_2d": {box}, "target_image": {target}}}'
    return tagged(f'{{"name": {name}, "arguments": {arguments}}}')


def refused(text: str, zoom: ZoomConfig) -> CallError:
    with pytest.raises(CallError) as caught:
        parse_turn(text, zoom)
    return caught.value


def kind_of(text: str, zoom: ZoomConfig) -> CallErrorKind | None:
    try:
        parse_turn(text, zoom)
    except CallError as error:
        return error.kind
    return None


#: Kinds of refusal, by what they need: pictures to look up, pixel coordinates, frames.
K = CallErrorKind
OF_PICTURES = {K.TARGET_UNKNOWN, K.CROP_TOO_SMALL, K.CROP_TOO_NARROW}
PIXELS_ONLY = {K.COORDINATE_NOT_AN_INTEGER}
#: Of the other operation, see ``test_select_calls``.
OF_FRAMES = {kind for kind in K if kind.startswith("frame")}

#: Refused before the call is read (``test_no_operations.py``).
UNREAD = {K.NOT_OFFERED}


def validator(zoom: ZoomConfig) -> jsonschema.Draft202012Validator:
    function = tool_schemas(zoom)[0]["function"]
    return jsonschema.Draft202012Validator(
        {
            "type": "object",
            "required": ["name", "arguments"],
            "additionalProperties": False,
            "properties": {
                "name": {"const": function["name"]},
                "arguments": function["parameters"],
            },
        }
    )
