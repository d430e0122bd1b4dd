"""The tool-call syntax: one way in, many ways to be refused, each with a useful text."""

import json
import pickle

import jsonschema
import pytest
from call_texts import (
    BOTH,
    NORMALIZED,
    OF_FRAMES,
    OF_PICTURES,
    PIXEL,
    PIXELS_ONLY,
    UNREAD,
    K,
    calls,
    kind_of,
    refused,
    tagged,
    validator,
    written,
)
from hypothesis import example, given
from hypothesis import strategies as st

from pixel_core.config import ZoomConfig
from pixel_core.rollout.tool_calls import (
    CallErrorKind,
    ZoomCall,
    format_call,
    parse_turn,
    tool_schemas,
)


@given(calls(st.integers(0, 10**9 - 1)))
def test_a_pixel_call_survives_writing_and_reading(call):
    assert parse_turn(format_call(call, PIXEL), PIXEL) == call


@given(calls(st.floats(0, 1)))
@example(ZoomCall((0.0, 0.0, 1.0, 1.0), 1))
@example(ZoomCall((0.1, 5e-324, 0.1 + 2**-55, 1e-7), 3))
def test_a_normalized_call_survives_writing_and_reading(call):
    assert parse_turn(format_call(call, NORMALIZED), NORMALIZED) == call


def test_the_canonical_text():
    assert format_call(ZoomCall((10, 20, 30.0, 40), 2), PIXEL) == (
        '<tool_call>{"name": "zoom_in", "arguments": '
        '{"bbox_2d": [10, 20, 30, 40], "target_image": 2}}</tool_call>'
    )
    assert format_call(ZoomCall((-0.0, 0.25, 0.5, 1), 1), NORMALIZED) == (
        '<tool_call>{"name": "zoom_in", "arguments": '
        '{"bbox_2d": [0.0, 0.25, 0.5, 1.0], "target_image": 1}}</tool_call>'
    )


def test_edges_are_not_pixels():
    """The whole picture: upstream takes a coordinate of 1.0 for a pixel."""
    whole = ZoomCall((0, 0, 1, 1), 1)
    assert parse_turn(written("[0, 0, 1, 1]"), NORMALIZED) == whole
    assert parse_turn(written("[0.0, 0.0, 1.0, 1.0]"), NORMALIZED) == whole
    assert parse_turn(written("[0, 0, 1, 1]"), PIXEL) == whole  # one pixel, as it says


def test_space_and_text_around_and_any_key_order_are_accepted():
    text = (
        "Let me look closer.\n<tool_call>\n{\n"
        '  "arguments": {"target_image": 2,\t"bbox_2d": [1,2,\n3,4]},\n  "name": "zoom_in"\n'
        "}\n</tool_call>\nNow I wait."
    )
    assert parse_turn(text, PIXEL) == ZoomCall((1, 2, 3, 4), 2)


def test_the_operation_has_the_configured_name():
    zoom = ZoomConfig(name="crop_image", coordinates="pixel")
    assert parse_turn(written(name='"crop_image"'), zoom) is not None
    assert "crop_image" in refused(written(), zoom).message
    assert tool_schemas(zoom)[0]["function"]["name"] == "crop_image"


@pytest.mark.parametrize("text", ["", "I see a red card. \\boxed{3}", "tool_call {}", "<tool"])
def test_a_turn_without_tags_makes_no_call(text):
    assert parse_turn(text, PIXEL) is None


# --- bad calls ------------------------------------------------------------------------

GOOD = written()
BODY = GOOD.removeprefix("<tool_call>").removesuffix("</tool_call>")

BAD = [
    (K.UNBALANCED_TAGS, "<tool_call>" + BODY, "tool_call"),
    (K.UNBALANCED_TAGS, BODY + "</tool_call>", "tool_call"),
    (K.UNBALANCED_TAGS, "</tool_call>" + BODY + "<tool_call>", "around"),
    (K.UNBALANCED_TAGS, "<tool_call>" + GOOD, "one of each"),
    (K.SEVERAL_CALLS, GOOD + GOOD, "2 calls"),
    (K.TOO_LONG, tagged(BODY + " " * 1000), "characters"),
    (K.TOO_DEEP, tagged("[" * 400 + "]" * 400), "400"),
    (K.TOO_DEEP, tagged('{"name":' * 100), "100"),
    (K.NOT_JSON, tagged(""), "double quotes"),
    (K.NOT_JSON, tagged(BODY.replace('"', "'")), "double quotes"),
    (K.NOT_JSON, tagged(BODY + BODY), "character"),
    (K.NOT_JSON, tagged(BODY[:-1]), "character"),
    (K.NOT_JSON, written("[01, 2, 3, 4]"), "character"),
    (K.NOT_JSON, written("[x1, y1, x2, y2]"), "character"),
    (K.DUPLICATE_KEY, tagged('{"name": "zoom_in", ' + BODY[1:]), '"name"'),
    (K.DUPLICATE_KEY, GOOD.replace('"bbox_2d"', '"bbox_2d": [0, 0, 9, 9], "bbox_2d"'), "once"),
    (K.NOT_FINITE, written("[NaN, 2, 3, 4]"), "NaN"),
    (K.NOT_FINITE, written("[1, 2, 3, Infinity]"), "Infinity"),
    (K.NOT_FINITE, written("[-Infinity, 2, 3, 4]"), "-Infinity"),
    (K.NUMBER_TOO_LARGE, written("[1, 2, 3, 1e999]"), "1e999"),
    (K.NUMBER_TOO_LARGE, written("[1, 2, 3, 5000000000]"), "5000000000"),
    (K.NUMBER_TOO_LARGE, written(f"[1, 2, 3, {'9' * 800}]"), "999..."),
    (K.NUMBER_TOO_LARGE, written(target="99999999999999999999"), "999"),
    (K.NOT_AN_OBJECT, tagged("[1, 2, 3, 4]"), "[1, 2, 3, 4]"),
    (K.NOT_AN_OBJECT, tagged("null"), "null"),
    (K.NOT_AN_OBJECT, tagged('{"name": "zoom_in", "arguments": "[1, 2]"}'), "[1, 2]"),
    (K.MISSING_KEY, tagged("{}"), '"name"'),
    (K.MISSING_KEY, tagged('{"name": "zoom_in"}'), '"arguments"'),
    (K.UNKNOWN_KEY, tagged(BODY[:-1] + ', "id": 7}'), '"id"'),
    (K.UNKNOWN_TOOL, written(name='"select_frames"'), '"zoom_in"'),
    (K.UNKNOWN_TOOL, written(name="null"), '"zoom_in"'),
    (K.UNKNOWN_TOOL, written(name='"ZOOM_IN"'), '"zoom_in"'),
    (K.MISSING_ARGUMENT, GOOD.replace('"bbox_2d": [0, 0, 1, 1], ', ""), '"bbox_2d"'),
    (K.MISSING_ARGUMENT, GOOD.replace(', "target_image": 1', ""), '"target_image"'),
    (K.UNKNOWN_ARGUMENT, GOOD.replace('"bbox_2d"', '"label": "cat", "bbox_2d"'), '"label"'),
    (K.UNKNOWN_ARGUMENT, GOOD.replace("bbox_2d", "bbox"), '"bbox_2d"'),
    (K.UNKNOWN_ARGUMENT, GOOD.replace("bbox_2d", "\\ud800"), "ud800"),
    (K.BOX_NOT_A_LIST, written('"1, 2, 3, 4"'), "list"),
    (K.BOX_NOT_A_LIST, written('{"x1": 1}'), "list"),
    (K.BOX_NOT_A_LIST, written("null"), "list"),
    (K.BOX_COUNT, written("[]"), "0 numbers"),
    (K.BOX_COUNT, written("[0, 1, 1]"), "[0, 1, 1] has 3 numbers"),
    (K.BOX_COUNT, written("[0, 0, 1, 1, 1]"), "5 numbers"),
    (K.COORDINATE_NOT_A_NUMBER, written('[0, 0, "1", 1]'), '"1"'),
    (K.COORDINATE_NOT_A_NUMBER, written("[false, 0, 1, 1]"), "false"),
    (K.COORDINATE_NOT_A_NUMBER, written("[0, 0, 1, true]"), "true"),
    (K.COORDINATE_NOT_A_NUMBER, written("[0, 0, null, 1]"), "null"),
    (K.COORDINATE_NOT_A_NUMBER, written("[[0, 0], 0, 1, 1]"), "[0, 0]"),
    (K.BOX_SWAPPED, written("[1, 0, 0, 1]"), "x1 < x2"),
    (K.BOX_SWAPPED, written("[0, 1, 1, 0]"), "x1 < x2"),
    (K.BOX_EMPTY, written("[1, 0, 1, 1]"), "x1 < x2"),
    (K.BOX_EMPTY, written("[0, 0, 1, 0]"), "y1 < y2"),
    (K.BOX_OUTSIDE, written("[-1, 0, 1, 1]"), "-1"),
    (K.TARGET_NOT_AN_INTEGER, written("[0, 0, 1, 1]", '"1"'), '"1"'),
    (K.TARGET_NOT_AN_INTEGER, written("[0, 0, 1, 1]", "true"), "true"),
    (K.TARGET_NOT_AN_INTEGER, written("[0, 0, 1, 1]", "1.0"), "1.0"),
    (K.TARGET_NOT_AN_INTEGER, written("[0, 0, 1, 1]", "[1]"), "[1]"),
    (K.TARGET_BELOW_ONE, written("[0, 0, 1, 1]", "0"), "from 1"),
    (K.TARGET_BELOW_ONE, written("[0, 0, 1, 1]", "-1"), "-1"),
]

#: Found by ``vision.operations.zoom``, which knows the pictures.


@BOTH
@pytest.mark.parametrize(("kind", "text", "says"), BAD)
def test_a_bad_call_is_refused_with_its_kind_and_a_remedy(kind, text, says, zoom):
    error = refused(text, zoom)
    assert error.kind is kind
    assert says in error.message
    assert len(error.message) < 250


def test_floats_are_no_pixels_and_pixels_no_fractions():
    for number in ("10.0", "10.5", "1e1"):
        error = refused(written(f"[{number}, 2, 30, 40]"), PIXEL)
        assert error.kind is K.COORDINATE_NOT_AN_INTEGER
        assert "10" in error.message
    assert refused(written("[0, 0, 0.5, 0.5]"), PIXEL).kind is K.COORDINATE_NOT_AN_INTEGER
    error = refused(written("[10, 20, 30, 40]"), NORMALIZED)
    assert error.kind is K.BOX_OUTSIDE
    assert "from 0 to 1" in error.message


def test_every_kind_is_reached():
    of_some = PIXELS_ONLY | OF_PICTURES | OF_FRAMES | UNREAD
    assert {kind for kind, _, _ in BAD} | of_some == set(K)


def test_a_message_brings_no_special_tokens_into_the_dialogue():
    for text in (
        written(name='"<|im_end|><|image_pad|>"'),
        GOOD.replace("bbox_2d", "<|vision_start|>"),
        GOOD.replace('"target_image"', '"<|im_start|>": 1, "target_image"'),
        written('["<|image_pad|>", "\\ud800", 1, 1]'),
        GOOD.replace('"name"', '"\\ud800": 1, "\\ud800": 2, "name"'),
    ):
        message = refused(text, PIXEL).message
        assert message.isascii()
        assert "<|" not in message


def test_deep_nesting_is_refused_however_deep_the_stack_is():
    def called_from(depth: int) -> CallErrorKind:
        text = tagged("[" * 900)
        return refused(text, PIXEL).kind if depth == 0 else called_from(depth - 1)

    assert called_from(500) is K.TOO_DEEP


def test_a_huge_turn_is_refused_at_once():
    """In a time that grows with its length: with its square, no test would see the end."""
    for filler in ('"', "[", '\\"', "9", "<tool_call", "{"):
        refused("<tool_call>" + filler * 1_000_000 + "</tool_call>", PIXEL)


def test_an_error_crosses_processes():
    error = pickle.loads(pickle.dumps(refused(written("[]"), PIXEL)))
    assert error.kind is K.BOX_COUNT
    assert "four" in str(error)


@pytest.mark.parametrize(
    ("call", "zoom"),
    [
        (ZoomCall((1, 2, 3.5, 4), 1), PIXEL),
        (ZoomCall((1, 2, 3, 4), 1), NORMALIZED),
        (ZoomCall((3, 2, 1, 4), 1), PIXEL),
        (ZoomCall((0, 0, 1, 1), 0), PIXEL),
        (ZoomCall((float("nan"), 0, 1, 1), 1), NORMALIZED),
        (ZoomCall((float("nan"), 0, 1, 1), 1), PIXEL),
        (ZoomCall((0, 0, 1, float("inf")), 1), PIXEL),
        (ZoomCall((0, 0, 1, 10**12), 1), PIXEL),
        (ZoomCall((0, 0, 1, 1), 1), ZoomConfig(name="</tool_call>")),
    ],
)
def test_a_call_that_would_be_refused_is_not_written(call, zoom):
    with pytest.raises(ValueError, match="must not be written"):
        format_call(call, zoom)


# --- the schema in the prompt against what is accepted --------------------------------


@BOTH
def test_the_schema_is_one(zoom):
    jsonschema.Draft202012Validator.check_schema(
        tool_schemas(zoom)[0]["function"]["parameters"]
    )
    assert tool_schemas(zoom)[0]["type"] == "function"
    assert "$" not in json.dumps(
        tool_schemas(zoom)[0]
    )  # no references a model would have to follow


numbers = st.one_of(
    st.integers(-3, 200),
    st.floats(-0.2, 1.2),
    st.sampled_from([0, 1, 0.0, 1.0, True, None, "1"]),
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "bbox_2d": st.one_of(st.lists(numbers, min_size=3, max_size=5), numbers),
        "target_image": numbers,
        "label": st.just("card"),
    },
)


@BOTH
@given(
    arguments=st.one_of(
        arguments,
        st.fixed_dictionaries(
            {
                "bbox_2d": st.lists(
                    st.one_of(st.integers(0, 9), st.floats(0, 1)), min_size=4, max_size=4
                ),
                "target_image": st.integers(0, 3),
            }
        ),
    )
)
def test_schema_and_parser_agree(zoom, arguments):
    call = {"name": "zoom_in", "arguments": arguments}
    permitted = validator(zoom).is_valid(call)
    kind = kind_of(tagged(json.dumps(call)), zoom)
    if kind is None:
        assert permitted
    elif permitted:
        # The order of corners is beyond JSON schema, and 1.0 is an integer to it.
        assert kind in {
            K.BOX_SWAPPED,
            K.BOX_EMPTY,
            K.COORDINATE_NOT_AN_INTEGER,
            K.TARGET_NOT_AN_INTEGER,
        }
