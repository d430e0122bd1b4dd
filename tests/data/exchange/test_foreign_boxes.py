"""Boxes and targets of the original's calls mean what they meant there, to the pixel."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from pixel_core.config import DialogueConfig, FramesConfig, PixelBudget, ZoomConfig
from pixel_core.data.exchange.foreign_calls import around, our_call, written
from pixel_core.data.exchange.portable import ImportRefusal, Rejected
from pixel_core.records import Box
from pixel_core.rollout.operations import ShownPicture, show, zoom
from pixel_core.rollout.tool_calls import CallError, SelectCall, ZoomCall, parse_turn

PARTS = DialogueConfig(zoom=ZoomConfig(padding=0.0), frames=FramesConfig(enabled=True))
LARGE = PixelBudget(max_pixels=10_000 * 28 * 28)
PIXELS = DialogueConfig(picture=LARGE, zoom=ZoomConfig(coordinates="pixel", padding=0.0))
NAMES = ("crop_image_normalized", "crop_image", "zoom_in")


def body(name: str = NAMES[0], target: Any = 1, **more: Any) -> str:
    return json.dumps({"name": name, "arguments": {"target_image": target, **more}})


def picture(width: int = 560, height: int = 448) -> ShownPicture:
    return show(Image.new("RGB", (width, height)), 0, PARTS.picture)


def box_of(
    values: Any, name: str = NAMES[0], dialogue: DialogueConfig = PARTS
) -> tuple[float, ...]:
    theirs = our_call(body(name, bbox_2d=values), [picture()], 0, dialogue)
    assert isinstance(theirs.call, ZoomCall)
    written(theirs.call, False, dialogue)  # what is imported may be written
    return theirs.call.box


def refusal(values: Any, name: str = NAMES[0], target: Any = 1) -> str:
    try:
        theirs = our_call(body(name, target, bbox_2d=values), [picture()], 0, PARTS)
        written(theirs.call, False, PARTS)
    except Rejected as reject:
        return reject.reason
    raise AssertionError(f"{values} was taken")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given_box", "meant"),
    [
        ([0.62, 0.4, 1.0, 0.9], (0.62, 0.4, 1.0, 0.9)),
        ([0, 0, 1, 1], (0.0, 0.0, 1.0, 1.0)),
        ([0, 0.5, 1, 1], (0.0, 0.5, 1.0, 1.0)),
        ([0.5, 0.5, 1.004, 0.9], (0.5, 0.5, 1.0, 0.9)),
        ([-0.01, -0.0, 0.5, 1.05], (0.0, 0.0, 0.5, 1.0)),
        ([1e-9, 0.1, 0.5, 0.33333333333], (0.0, 0.1, 0.5, 0.333333)),
    ],
)
def test_parts_are_parts_and_one_is_the_edge(
    name: str, given_box: list[float], meant: tuple[float, ...]
) -> None:
    assert box_of(given_box, name) == meant


@pytest.mark.parametrize(
    "box",
    [
        [0.5, 0.5, 1.2, 0.9],
        [0, 0, 56, 56],
        [56, 56, 168, 168],
        [-0.2, 0, 0.5, 0.5],
        [0.62, 0.4, 2, 0.9],
        [0.5, 0.5, 0.4, 0.9],
        [0.5, 0.5, 0.5, 0.9],
        [0.5, 0.5, 0.5000001, 0.9],
        [1.0, 0.5, 1.04, 0.9],
    ],
)
def test_what_a_call_may_not_name_is_refused(box: list[float]) -> None:
    assert refusal(box) == ImportRefusal.CALL_REFUSED


@pytest.mark.parametrize("name", NAMES[1:])
def test_names_that_were_used_for_both_take_whole_pixels(name: str) -> None:
    assert box_of([280, 0, 560, 448], name) == (0.5, 0.0, 1.0, 1.0)
    assert box_of([280, 0, 575, 450], name) == (0.5, 0.0, 1.0, 1.0)  # a fraction beyond
    assert refusal([0.62, 0.4, 1.2, 0.9], name) == ImportRefusal.CALL_REFUSED
    assert refusal([0, 0, 900, 100], name) == ImportRefusal.CALL_REFUSED


@pytest.mark.parametrize(
    "values",
    [[0.1, 0.2, 0.3], [0.1] * 5, "0.1", None, [True, 0, 1, 1], ["0", 0, 1, 1], [None] * 4],
)
def test_what_is_no_box_is_a_bad_call(values: Any) -> None:
    assert refusal(values) == ImportRefusal.BAD_CALL


@pytest.mark.parametrize("target", [1.0, "1", None, True, [1]])
def test_what_is_no_target_is_a_bad_call(target: Any) -> None:
    assert refusal([0, 0, 0.5, 0.5], target=target) == ImportRefusal.BAD_CALL


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[int, int, Box]:
    width, height = draw(st.integers(1, 20_000)), draw(st.integers(1, 20_000))
    xs = sorted((draw(st.integers(0, width)), draw(st.integers(0, width))))
    ys = sorted((draw(st.integers(0, height)), draw(st.integers(0, height))))
    assume(xs[0] < xs[1] and ys[0] < ys[1])
    return width, height, Box(x1=xs[0], y1=ys[0], x2=xs[1], y2=ys[1])


@given(pixel_boxes())
def test_a_box_of_pixels_written_in_parts_comes_back_as_it_was(
    drawn: tuple[int, int, Box],
) -> None:
    """At whatever number of decimals from six, rounded as writing does it."""
    width, height, box = drawn
    for decimals in (6, 9, 17):
        parts = [
            round(value / side, decimals)
            for value, side in zip(box.as_tuple(), (width, height) * 2, strict=True)
        ]
        target = ShownPicture(
            Image.new("1", (width, height)) if width * height < 100 else _Sized(width, height),
            (28, 28),
            Box(x1=0, y1=0, x2=width, y2=height),
            0,
        )
        theirs = our_call(body(bbox_2d=parts), [target], 0, PARTS)
        assert theirs.parts is not None
        x1, y1, x2, y2 = theirs.parts
        across, down = around(x1, x2, width), around(y1, y2, height)
        assert (across[0], down[0], across[1], down[1]) == box.as_tuple()


class _Sized:
    """Of a picture nothing but its size."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)


@given(st.integers(2, 60), st.integers(2, 60), st.data())
def test_pixels_as_shown_come_back_as_they_were(
    columns: int, rows: int, data: st.DataObject
) -> None:
    width, height = columns * 28, rows * 28
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    shown = [show(Image.new("RGB", (width, height)), 0, PIXELS.picture)]
    assert shown[0].size == (width, height)
    parts = [
        round(v / side, 6)
        for v, side in zip((x1, y1, x2, y2), (width, height) * 2, strict=True)
    ]
    theirs = our_call(body(bbox_2d=parts), shown, 0, PIXELS)
    assert isinstance(theirs.call, ZoomCall)
    assert theirs.call.box == (x1, y1, x2, y2)


numbers = st.one_of(
    st.floats(-0.2, 1.3), st.sampled_from([0, 1, 1.0, 1.05, 1.06, 56, 0.9999999]), st.floats()
)


@given(st.lists(numbers, min_size=4, max_size=4), st.sampled_from(NAMES))
def test_an_imported_box_is_a_call_or_refused(box: list[float], name: str) -> None:
    shown = [picture()]
    for dialogue in (PARTS, PIXELS):
        try:
            theirs = our_call(body(name, bbox_2d=box), shown, 0, dialogue)
            text = written(theirs.call, False, dialogue)
        except Rejected:
            continue
        assert isinstance(theirs.call, ZoomCall)
        assert parse_turn(text, dialogue.zoom) == theirs.call
        # Nothing is left to be refused but a crop's size.
        with contextlib.suppress(CallError):
            region = zoom(theirs.call, shown, dialogue).region
            assert shown[0].region.contains(region)


def video(frames: int = 9) -> list[ShownPicture]:
    return [show(Image.new("RGB", (224, 168)), n, PARTS.frames.frame) for n in range(frames)]


def target_of(shown: list[ShownPicture], target: int, name: str = NAMES[0]) -> int:
    call = our_call(body(name, target, bbox_2d=[0, 0, 0.5, 1]), shown, 9, PARTS).call
    assert isinstance(call, ZoomCall)
    return call.target


@pytest.mark.parametrize("name", NAMES)
def test_targets_in_a_video_count_as_the_original_counts(name: str) -> None:
    frames = video()
    assert [target_of(frames, n, name) for n in (1, 5, 9)] == [1, 5, 9]
    call = our_call(
        json.dumps({"name": "select_frames", "arguments": {"target_frames": [5, 6, 7]}}),
        frames,
        9,
        PARTS,
    ).call
    assert call == SelectCall((5, 6, 7))
    shown = frames + [frames[number - 1] for number in (5, 6, 7)]
    # 1 is the video as a whole; 2 the first that was selected, and so on.
    picked = [shown[target_of(shown, n, name) - 1].picture + 1 for n in (2, 3, 4)]
    assert picked == [5, 6, 7]
    for refused in (0, 1, 5, -1, 12):
        with pytest.raises(Rejected) as caught:
            target_of(shown, refused, name)
        assert caught.value.reason is ImportRefusal.CALL_REFUSED


def test_targets_among_pictures_count_all_that_were_shown() -> None:
    shown = [picture(), picture()]
    for target in (1, 2):
        call = our_call(body(target=target, bbox_2d=[0, 0, 0.5, 1]), shown, 0, PARTS).call
        assert isinstance(call, ZoomCall)
        assert call.target == target


def test_an_operation_of_our_own_name_has_our_coordinates() -> None:
    zoomed = ZoomConfig(name="look", coordinates="pixel", padding=0.0)
    ours = PIXELS.model_copy(update={"zoom": zoomed})
    call = our_call(body("look", bbox_2d=[56, 56, 168, 450]), [picture()], 0, ours).call
    assert call == ZoomCall((56, 56, 168, 448), 1)
    with pytest.raises(Rejected, match="is no operation"):
        our_call(body("look", bbox_2d=[0, 0, 1, 1]), [picture()], 0, PIXELS)
