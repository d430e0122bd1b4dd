"""Picture trajectories, checked by replaying every turn: parsed, executed, looked at."""

from __future__ import annotations

import re
from typing import Any

import pytest
from annotated import IMAGE_KINDS, PLAIN, TERSE, annotation, only, replay, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixel_core.config import DialogueConfig, PipelineConfig, PixelBudget, ZoomConfig
from pixel_core.data.synthesis.kinds import OPERATIONS
from pixel_core.data.synthesis.trajectories import LeftOut, TrajectoryWriter
from pixel_core.errors import DataError
from pixel_core.records import Box, Cue, SecondLook, TrajectoryKind
from pixel_core.rollout.tool_calls import OPEN, parse_turn

STYLES = pytest.mark.parametrize("config", [TERSE, PLAIN], ids=["terse", "plain"])


def check(item: Any, made: Any, config: PipelineConfig) -> None:
    """The paper's rules for a trajectory of a picture with a cue."""
    regions = replay(item, made, config).regions
    assert len(regions) == OPERATIONS[made.kind]
    if not regions:
        return
    cue = item.cue.box
    assert regions[-1].contains(cue)
    for region in regions[:-1]:
        if made.kind is TrajectoryKind.FURTHER_ZOOM:
            assert region.contains(cue)
            assert region.area >= config.synthesize.too_large * cue.area
        else:
            assert not region.intersects(cue)
    assert len(set(regions)) == len(regions)


@STYLES
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_every_kind_replays_as_designed(config: PipelineConfig, kind: TrajectoryKind) -> None:
    config = only(kind, config)
    writer = TrajectoryWriter(config)
    for number in range(60):
        item = annotation(number)
        made = written(writer, item).trajectory
        assert made.kind is kind
        check(item, made, config)


@STYLES
def test_of_a_wrong_operation_the_call_is_masked_or_the_whole_gesture(config) -> None:
    for kind in IMAGE_KINDS:
        writer = TrajectoryWriter(only(kind, config))
        for number in range(20):
            turns = written(writer, annotation(number)).trajectory.turns
            wrong = max(0, OPERATIONS[kind] - 1)
            for place, turn in enumerate(turns):
                masked = [text for text, trained in turn.pieces if not trained]
                call = turn.text[turn.text.find(OPEN) :]
                mistake = turn.text if config is TERSE else call
                assert masked == ([mistake] if place < wrong else [])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, PipelineConfig]:
    """Any cue in any picture, under any settings of the zoom."""
    width, height = draw(st.integers(30, 1500)), draw(st.integers(30, 1500))
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x2, y2 = draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))
    zoom = ZoomConfig(
        coordinates=draw(st.sampled_from(("pixel", "normalized"))),
        padding=draw(st.sampled_from((0.0, 0.03, 0.1, 0.25))),
    )
    dialogue = DialogueConfig(
        zoom=zoom,
        picture=PixelBudget(max_pixels=28 * 28 * draw(st.integers(4, 400))),
        max_operations=draw(st.integers(0, 4)),
    )
    base = draw(st.sampled_from((TERSE, PLAIN)))
    config = only(draw(st.sampled_from(IMAGE_KINDS)), base)
    item = annotation(
        draw(st.integers(0, 10**6)),
        size=(width, height),
        pictures=draw(st.integers(1, 3)),
        cue=Cue(box=Box(x1=x1, y1=y1, x2=x2, y2=y2)),
    )
    return item, config.model_copy(update={"dialogue": dialogue})


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_whatever_is_made_keeps_the_rules(case) -> None:
    """Also where the drawn kind is impossible and another one is made."""
    item, config = case
    check(item, written(TrajectoryWriter(config), item).trajectory, config)


def test_terse_turns_have_exactly_the_taught_forms() -> None:
    call = r'<tool_call>{"name": "zoom_in", "arguments": {"bbox_2d": '
    starts = {
        TrajectoryKind.DIRECT: ["focus on the red card "],
        TrajectoryKind.SINGLE_PASS: ["zoom in on the red card {at} " + call],
        TrajectoryKind.RECROP_ONCE: [
            "zoom in on the red card {at} " + call,
            "wrong place zoom in on the red card {at} " + call,
        ],
        TrajectoryKind.FURTHER_ZOOM: [
            "zoom in on the red card {at} " + call,
            "too far zoom in on the red card {at} " + call,
        ],
    }
    for kind, expected in starts.items():
        turns = written(TrajectoryWriter(only(kind, TERSE)), annotation(7)).trajectory.turns
        for turn, start in zip(turns, expected, strict=False):
            found = parse_turn(turn.text, TERSE.dialogue.zoom)
            at = f"{found.box[0]:g} {found.box[1]:g}" if found else ""
            assert turn.text.startswith(start.replace("{at}", at))
        if kind is not TrajectoryKind.DIRECT:
            assert turns[-1].text == "the crop shows \\boxed{7}"
            assert turns[0].text.endswith('"target_image": 1}}</tool_call>')
        else:
            assert re.fullmatch(r"focus on the red card \S+ \S+ 7 \\boxed\{7\}", turns[0].text)
    nameless = annotation(7, subject="", cue=None)
    only_turn = written(TrajectoryWriter(TERSE), nameless).trajectory.turns[0]
    assert only_turn.text == "focus on the picture 7 \\boxed{7}"


def test_a_seed_without_a_cue_is_answered_directly() -> None:
    writer = TrajectoryWriter(only(TrajectoryKind.RECROP_TWICE, PLAIN))
    made = written(writer, annotation(1, cue=None))
    assert made.trajectory.kind is made.drawn is TrajectoryKind.DIRECT


def test_the_call_targets_the_picture_that_holds_the_cue() -> None:
    config = only(TrajectoryKind.FURTHER_ZOOM, TERSE)
    cue = Cue(box=Box(x1=10, y1=10, x2=60, y2=60), picture=1)
    item = annotation(1, pictures=3, cue=cue)
    trajectory = written(TrajectoryWriter(config), item).trajectory
    for turn in trajectory.turns[:-1]:
        call = parse_turn(turn.text, config.dialogue.zoom)
        assert call is not None
        assert call.target == 2
    assert replay(item, trajectory, config).regions[-1].contains(cue.box)


@pytest.mark.parametrize(
    ("kind", "changes", "made"),
    [
        # The cue fills the picture: nowhere else to look, nothing larger to show.
        (
            TrajectoryKind.RECROP_TWICE,
            {"cue": Cue(box=Box(x1=0, y1=0, x2=448, y2=448))},
            TrajectoryKind.SINGLE_PASS,
        ),
        (
            TrajectoryKind.FURTHER_ZOOM,
            {"cue": Cue(box=Box(x1=0, y1=0, x2=400, y2=400))},
            TrajectoryKind.SINGLE_PASS,
        ),
        # The picture is below the operation's least size.
        (
            TrajectoryKind.RECROP_ONCE,
            {"size": (28, 28), "cue": Cue(box=Box(x1=0, y1=0, x2=9, y2=9))},
            TrajectoryKind.DIRECT,
        ),
        # Fourteen pictures leave room for two crops of sixteen.
        (TrajectoryKind.RECROP_TWICE, {"pictures": 14}, TrajectoryKind.RECROP_ONCE),
    ],
)
def test_an_impossible_kind_becomes_a_simpler_one(
    kind: TrajectoryKind, changes: dict[str, Any], made: TrajectoryKind
) -> None:
    config = only(kind, PLAIN)
    item = annotation(3, **changes)
    result = written(TrajectoryWriter(config), item)
    assert (result.drawn, result.trajectory.kind) == (kind, made)
    replay(item, result.trajectory, config)


def test_a_padding_that_always_shows_the_cue_makes_wrong_boxes_impossible() -> None:
    zoom_config = ZoomConfig(coordinates="pixel", padding=0.5)
    base = PipelineConfig(dialogue=DialogueConfig(zoom=zoom_config))
    middle = Cue(box=Box(x1=200, y1=200, x2=240, y2=240))
    result = written(
        TrajectoryWriter(only(TrajectoryKind.RECROP_ONCE, base)), annotation(1, cue=middle)
    )
    assert result.trajectory.kind is TrajectoryKind.SINGLE_PASS


@pytest.mark.parametrize(
    ("cue", "told"),
    [
        (Cue(box=Box(x1=0, y1=0, x2=9, y2=9), picture=1), "s1: its cue is in picture 1"),
        (Cue(box=Box(x1=0, y1=0, x2=500, y2=9)), r"s1: its cue \(0, 0, 500, 9\) reaches"),
    ],
)
def test_a_cue_that_the_pictures_have_not_is_refused(cue: Cue, told: str) -> None:
    for kind in (TrajectoryKind.SINGLE_PASS, TrajectoryKind.DIRECT):
        with pytest.raises(DataError, match=told):
            TrajectoryWriter(only(kind, PLAIN)).write(annotation(1, cue=cue))


@pytest.mark.parametrize("easy", ["same", "direct", "drop"])
def test_what_becomes_of_easy_seeds_is_a_setting(easy: str) -> None:
    base = only(TrajectoryKind.RECROP_ONCE, PLAIN)
    settings = base.synthesize.model_copy(update={"easy": easy})
    writer = TrajectoryWriter(base.model_copy(update={"synthesize": settings}))
    usual = writer.write(annotation(5))
    assert writer.write(annotation(5, look=SecondLook.NEEDS_ZOOM)) == usual
    result = writer.write(annotation(5, look=SecondLook.EASY))
    if easy == "drop":
        assert result is LeftOut.EASY
    elif easy == "same":
        assert result == usual
    else:
        assert result.trajectory.kind is result.drawn is TrajectoryKind.DIRECT
