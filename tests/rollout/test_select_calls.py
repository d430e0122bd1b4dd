"""The choice of frames: what is accepted, what is refused and why, and beside the zoom."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.config import DialogueConfig, FramesConfig, PixelBudget, ZoomConfig
from pixel_core.rollout.tool_calls import (
    Call,
    CallError,
    SelectCall,
    ZoomCall,
    format_call,
    parse_turn,
    tool_schemas,
)
from pixel_core.rollout.tool_calls import CallErrorKind as K

ZOOM = ZoomConfig(coordinates="pixel")
FRAMES = FramesConfig(max_frames=4)


def tagged(body: str) -> str:
    return f"<tool_call>{body}</tool_call>"


def written(frames: object, name: str = "select_frames") -> str:
    return tagged(f'{{"name": "{name}", "arguments": {{"target_frames": {frames}}}}}')


def read(text: str, frames: FramesConfig | None = FRAMES) -> Call | CallError | None:
    try:
        return parse_turn(text, ZOOM, frames)
    except CallError as error:
        return error


def refused(text: str, frames: FramesConfig | None = FRAMES) -> CallError:
    error = read(text, frames)
    assert isinstance(error, CallError)
    return error


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9 - 1), min_size=1, max_size=4, unique=True))
def test_what_is_written_is_read(frames: list[int]) -> None:
    call = SelectCall(tuple(frames))
    assert parse_turn(f"I look. {format_call(call, ZOOM, FRAMES)}", ZOOM, FRAMES) == call


def test_the_canonical_form() -> None:
    assert format_call(SelectCall((3, 1)), ZOOM, FRAMES) == written("[3, 1]")


BAD = [
    (K.FRAMES_NOT_A_LIST, written("3"), "a list of frame numbers"),
    (K.FRAMES_NOT_A_LIST, written("null"), "null"),
    (K.FRAMES_EMPTY, written("[]"), "at least one"),
    (K.FRAMES_TOO_MANY, written("[1, 2, 3, 4, 5]"), "at most 4"),
    (K.FRAME_NOT_AN_INTEGER, written("[1, 2.0]"), "2.0"),
    (K.FRAME_NOT_AN_INTEGER, written('["1"]'), "whole numbers"),
    (K.FRAME_NOT_AN_INTEGER, written("[true]"), "true"),
    (K.FRAME_NOT_AN_INTEGER, written("[[1]]"), "[1]"),
    (K.FRAME_BELOW_ONE, written("[2, 0]"), "from 1"),
    (K.FRAME_BELOW_ONE, written("[-1]"), "-1"),
    (K.FRAME_REPEATED, written("[2, 3, 2]"), "2 twice"),
    (K.UNKNOWN_ARGUMENT, written('[1], "fps": 2'), "fps"),
    (K.MISSING_ARGUMENT, written("[1]").replace('"target_frames": [1]', ""), "target_frames"),
    (K.NOT_AN_OBJECT, written("1").replace('{"target_frames": 1}', "[1]"), "select_frames"),
    (K.UNKNOWN_TOOL, written("[1]", "pick"), '"zoom_in" or "select_frames"'),
    (K.UNKNOWN_ARGUMENT, written("[1]", "zoom_in"), "bbox_2d"),
    (K.MISSING_KEY, "<tool_call>{}</tool_call>", "target_frames"),
    (K.NOT_FINITE, written("[NaN]"), "NaN"),
]


@pytest.mark.parametrize(("kind", "text", "says"), BAD)
def test_a_bad_choice_is_refused_with_its_kind_and_a_remedy(
    kind: K, text: str, says: str
) -> None:
    error = refused(text)
    assert error.kind is kind
    assert says in error.message
    assert len(error.message) < 250


def test_every_kind_about_frames_is_reached() -> None:
    # An unknown frame is found by ``vision.operations.select``, which knows the video.
    about = {kind for kind in K if kind.startswith("frame")}
    assert about - {kind for kind, _, _ in BAD} == {K.FRAME_UNKNOWN}


def test_frames_are_not_offered_where_there_is_no_video() -> None:
    error = refused(written("[1]"), None)
    assert error.kind is K.UNKNOWN_TOOL
    assert 'only one is "zoom_in"' in error.message
    with pytest.raises(ValueError, match="can't be selected here"):
        format_call(SelectCall((1,)), ZOOM)


def test_a_zoom_is_read_beside_it() -> None:
    call = ZoomCall((1, 2, 3, 4), 2)
    assert parse_turn(format_call(call, ZOOM, FRAMES), ZOOM, FRAMES) == call


def test_one_call_a_turn_whichever_they_are() -> None:
    both = format_call(ZoomCall((1, 2, 3, 4), 1), ZOOM) + written("[1]")
    assert refused(both).kind is K.SEVERAL_CALLS


values = st.one_of(st.integers(-2, 9), st.floats(0, 3), st.sampled_from([True, None, "1", [1]]))


@settings(deadline=None)
@given(
    arguments=st.fixed_dictionaries(
        {},
        optional={
            "target_frames": st.one_of(
                st.lists(values, max_size=6), st.lists(st.integers(1, 9), max_size=4), values
            ),
            "target_image": st.just(1),
        },
    )
)
def test_schema_and_parser_agree(arguments: dict[str, object]) -> None:
    schema = tool_schemas(ZOOM, FRAMES)[1]["function"]["parameters"]
    permitted = jsonschema.Draft202012Validator(schema).is_valid(arguments)
    call = read(tagged(json.dumps({"name": "select_frames", "arguments": arguments})))
    if isinstance(call, CallError):
        # Repeats are beyond what the schema says, and 1.0 is an integer to it.
        assert not permitted or call.kind in {K.FRAME_REPEATED, K.FRAME_NOT_AN_INTEGER}
        return
    assert permitted
    assert call == SelectCall(tuple(arguments["target_frames"]))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.text(alphabet='{}[]",:0123456789-. eE_abcfgelmnorst<>/', max_size=60))
def test_any_text_is_a_call_or_a_refusal(body: str) -> None:
    start = '{"name": "select_frames", "arguments": {"target_frames": ['
    for text in (tagged(body), tagged(f"{start}{body}]}}}}")):
        call = read(text)
        if isinstance(call, CallError):
            assert "<|" not in call.message
            assert len(call.message) < 250
        else:
            assert isinstance(call, SelectCall)
            assert read(format_call(call, ZOOM, FRAMES)) == call


def test_the_schema_is_one() -> None:
    names = [schema["function"]["name"] for schema in tool_schemas(ZOOM, FRAMES)]
    assert names == ["zoom_in", "select_frames"]
    schema = tool_schemas(ZOOM, FRAMES)[1]["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema) == {"type", "properties", "required", "additionalProperties"}
    assert schema["properties"]["target_frames"]["maxItems"] == 4


def test_settings_that_could_not_work_are_refused() -> None:
    with pytest.raises(ValueError, match="would show less"):
        FramesConfig(frame=PixelBudget(max_pixels=500 * 784))
    with pytest.raises(ValueError, match="ambiguous"):
        DialogueConfig(frames=FramesConfig(name="zoom_in"))
    DialogueConfig(frames=FramesConfig(name="zoom_in", enabled=False))
