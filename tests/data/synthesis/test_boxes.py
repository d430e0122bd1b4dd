"""Boxes of trajectories, checked by executing them with the zoom operation itself."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from pixel_core.config import DialogueConfig, PixelBudget, ZoomConfig
from pixel_core.data.synthesis.boxes import Plane, TickBox, right_box, too_large_box, wrong_box
from pixel_core.records import Box
from pixel_core.rollout.operations import show, zoom
from pixel_core.rollout.tool_calls import ZoomCall, format_call, parse_turn


@st.composite
def scenes(draw: st.DrawFn) -> tuple[int, int, Box, DialogueConfig]:
    """A picture's size, a cue in it, and a dialogue's settings."""
    width = draw(st.integers(60, 1500))
    height = draw(st.integers(60, 1500))
    x1 = draw(st.integers(0, width - 1))
    y1 = draw(st.integers(0, height - 1))
    cue = Box(
        x1=x1,
        y1=y1,
        x2=draw(st.integers(x1 + 1, width)),
        y2=draw(st.integers(y1 + 1, height)),
    )
    dialogue = DialogueConfig(
        picture=PixelBudget(max_pixels=28 * 28 * draw(st.integers(4, 400))),
        zoom=ZoomConfig(
            coordinates=draw(st.sampled_from(("pixel", "normalized"))),
            padding=draw(st.sampled_from((0.0, 0.03, 0.1, 0.25))),
            min_side=draw(st.sampled_from((1, 14, 28))),
        ),
    )
    return width, height, cue, dialogue


margins = st.sampled_from((0.0, 0.1, 0.5))
streams = st.integers(0, 10**6).map(random.Random)


def execute(size: tuple[int, int], box: TickBox, plane: Plane, dialogue: DialogueConfig) -> Box:
    """The region that a model's call with this box would cut, through text and all."""
    written = format_call(ZoomCall(plane.written(box), 1), dialogue.zoom)
    call = parse_turn(written, dialogue.zoom)
    assert call is not None
    shown = show(Image.new("1", size), 0, dialogue.picture)
    return zoom(call, [shown], dialogue).region


def unpadded(dialogue: DialogueConfig) -> DialogueConfig:
    bare = dialogue.zoom.model_copy(update={"padding": 0.0})
    return dialogue.model_copy(update={"zoom": bare})


@given(scenes(), margins)
def test_the_right_box_shows_the_whole_cue_even_without_padding(scene, margin: float) -> None:
    width, height, cue, dialogue = scene
    plane = Plane.of(width, height, dialogue)
    box = right_box(plane, cue, margin)
    assert box is not None  # every picture here is larger than min_side
    assert execute((width, height), box, plane, dialogue).contains(cue)
    assert execute((width, height), box, plane, unpadded(dialogue)).contains(cue)


@given(scenes(), margins, streams)
def test_a_wrong_box_misses_the_cue_with_its_padding(scene, margin: float, rng) -> None:
    width, height, cue, dialogue = scene
    plane = Plane.of(width, height, dialogue)
    right = right_box(plane, cue, margin)
    assert right is not None
    box = wrong_box(plane, cue, right, rng)
    assume(box is not None)
    assert not execute((width, height), box, plane, dialogue).intersects(cue)


@given(scenes(), streams)
def test_no_wrong_box_only_where_none_exists(scene, rng) -> None:
    width, height, cue, dialogue = scene
    plane = Plane.of(width, height, dialogue)
    right = right_box(plane, cue, 0.0)
    assert right is not None
    if wrong_box(plane, cue, right, rng) is not None:
        return
    # The smallest box of all, pushed into each corner, would show some of the cue.
    least = plane.x.least_ticks, plane.y.least_ticks
    for x in (0, plane.x.ticks - least[0]):
        for y in (0, plane.y.ticks - least[1]):
            corner = TickBox(type(right.x)(x, x + least[0]), type(right.y)(y, y + least[1]))
            assert plane.executed(corner).intersects(cue)


@given(scenes(), margins, st.sampled_from((2.0, 4.0, 9.0)), streams)
def test_a_too_large_box_holds_the_cue_and_is_large(scene, margin, times, rng) -> None:
    width, height, cue, dialogue = scene
    plane = Plane.of(width, height, dialogue)
    right = right_box(plane, cue, margin)
    assert right is not None
    box = too_large_box(plane, cue, right, times, rng)
    assume(box is not None)
    size = width, height
    assert execute(size, box, plane, dialogue).contains(cue)
    assert execute(size, box, plane, unpadded(dialogue)).area >= times * cue.area
    assert execute(size, box, plane, dialogue).area > execute(size, right, plane, dialogue).area


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(scenes(), margins, streams)
def test_a_too_large_box_is_found_where_the_picture_has_room(scene, margin, rng) -> None:
    width, height, cue, dialogue = scene
    assume(4 * cue.area <= 0.5 * width * height)
    plane = Plane.of(width, height, dialogue)
    right = right_box(plane, cue, margin)
    assert right is not None
    region = plane.executed(right)
    assume(region.x2 - region.x1 <= width / 2)
    assume(region.y2 - region.y1 <= height / 2)
    assert too_large_box(plane, cue, right, 4.0, rng) is not None


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_wrong_boxes_reach_every_side_of_the_cue(seed: int) -> None:
    dialogue = DialogueConfig(zoom=ZoomConfig(coordinates="pixel", padding=0.0))
    plane = Plane.of(448, 448, dialogue)
    cue = Box(x1=190, y1=190, x2=250, y2=250)
    right = right_box(plane, cue, 0.1)
    assert right is not None
    rng = random.Random(seed)
    found = [wrong_box(plane, cue, right, rng) for _ in range(200)]
    regions = [plane.executed(box) for box in found if box is not None]
    assert len(regions) == 200
    assert any(region.x2 <= cue.x1 for region in regions)
    assert any(region.x1 >= cue.x2 for region in regions)
    assert any(region.y2 <= cue.y1 for region in regions)
    assert any(region.y1 >= cue.y2 for region in regions)
