"""Video trajectories: which frames are selected, first and in the end."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from annotated import FRAMES, PLAIN, TERSE, VIDEO_KINDS, only, replay, video, written
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.config import DialogueConfig, FramesConfig, PipelineConfig
from pixel_core.data.synthesis.kinds import OPERATIONS
from pixel_core.data.synthesis.operations import APART, right_frames, wrong_frames
from pixel_core.data.synthesis.trajectories import TrajectoryWriter
from pixel_core.errors import DataError
from pixel_core.records import FrameCue, TrajectoryKind
from pixel_core.rollout.tool_calls import OPEN

cues = st.sets(st.integers(0, 39), min_size=1).map(
    lambda frames: FrameCue(frames=tuple(sorted(frames)))
)


@given(cues, st.integers(1, 12))
def test_right_frames_are_the_cues_evenly_chosen(cue: FrameCue, most: int) -> None:
    frames = right_frames(cue, most)
    assert len(frames) == min(most, len(cue.frames))
    assert set(frames) <= set(cue.frames)
    assert list(frames) == sorted(set(frames))
    if most > 1:
        assert (frames[0], frames[-1]) == (cue.frames[0], cue.frames[-1])
        # Evenly: no gap is over one place longer than another.
        places = [cue.frames.index(frame) for frame in frames]
        gaps = [second - first for first, second in pairwise(places)]
        assert not gaps or max(gaps) - min(gaps) <= 1


@given(cues, st.integers(0, 10), st.integers(0, 12), st.integers(0, 10**6))
def test_wrong_frames_keep_apart_from_the_right_ones(
    cue: FrameCue, more: int, most: int, seed: int
) -> None:
    total = cue.frames[-1] + 1 + more
    frames = wrong_frames(cue, total, most, random.Random(seed))
    assert not set(frames) & set(cue.frames)
    assert all(0 <= frame < total for frame in frames)
    assert list(frames) == sorted(set(frames))
    assert len(frames) <= most
    others = set(range(total)) - set(cue.frames)
    far = {f for f in others if all(abs(f - frame) >= APART for frame in cue.frames)}
    # As many as there are at that distance; only without any is a neighbour taken.
    assert len(frames) == min(most, len(far or others))
    assert not far or set(frames) <= far


@pytest.mark.parametrize("config", [TERSE, PLAIN], ids=["terse", "plain"])
@pytest.mark.parametrize("kind", VIDEO_KINDS)
def test_every_kind_replays_as_designed(config: PipelineConfig, kind: TrajectoryKind) -> None:
    config = only(kind, config)
    writer = TrajectoryWriter(config)
    for number in range(60):
        item = video(number)
        made = written(writer, item).trajectory
        assert made.kind is kind
        looks = replay(item, made, config)
        assert not looks.regions
        assert len(looks.frames) == OPERATIONS[kind]
        if looks.frames:
            assert looks.frames[-1] == item.cue.frames
        for place, turn in enumerate(made.turns):
            masked = [text for text, trained in turn.pieces if not trained]
            if kind is TrajectoryKind.RESELECT and place == 0:
                assert not set(looks.frames[0]) & set(item.cue.frames)
                call = turn.text[turn.text.index(OPEN) :]
                assert masked == [turn.text if config.synthesize.templates == "terse" else call]
            else:
                assert not masked


@settings(deadline=None, max_examples=40)
@given(cues, st.integers(1, 10), st.integers(2, 16), st.integers(0, 4), st.integers(0, 99))
def test_any_video_fits_the_episode(
    cue: FrameCue, most: int, pictures: int, operations: int, number: int
) -> None:
    dialogue = DialogueConfig(
        frames=FramesConfig(max_frames=most),
        max_pictures=pictures,
        max_operations=operations,
    )
    config = only(TrajectoryKind.RESELECT, PLAIN).model_copy(update={"dialogue": dialogue})
    item = video(number, cue=cue, pictures=cue.frames[-1] + 1)
    made = written(TrajectoryWriter(config), item).trajectory
    looks = replay(item, made, config)
    if operations:
        assert set(looks.frames[-1]) <= set(cue.frames)
    assert (len(looks.frames) == 2) == (made.kind is TrajectoryKind.RESELECT)


@pytest.mark.parametrize(
    ("cue", "dialogue", "made"),
    [
        # Every frame is the cue's: there are no wrong ones.
        (range(FRAMES), DialogueConfig(), TrajectoryKind.SINGLE_PASS),
        (range(3), DialogueConfig(max_operations=1), TrajectoryKind.SINGLE_PASS),
        # The video and eight frames leave room for none of another eight.
        (range(8), DialogueConfig(max_pictures=9), TrajectoryKind.SINGLE_PASS),
        (range(3), DialogueConfig(max_operations=0), TrajectoryKind.DIRECT),
        (range(3), DialogueConfig(frames=FramesConfig(enabled=False)), TrajectoryKind.DIRECT),
        (range(3), DialogueConfig(max_pictures=1), TrajectoryKind.DIRECT),
    ],
)
def test_an_impossible_kind_becomes_a_simpler_one(cue, dialogue, made) -> None:
    config = only(TrajectoryKind.RESELECT, PLAIN).model_copy(update={"dialogue": dialogue})
    item = video(1, cue=FrameCue(frames=tuple(cue)))
    result = written(TrajectoryWriter(config), item)
    assert (result.drawn, result.trajectory.kind) == (TrajectoryKind.RESELECT, made)
    replay(item, result.trajectory, config)


def test_terse_video_turns_have_exactly_the_taught_forms() -> None:
    item = video(1, cue=FrameCue(frames=(4, 5)))
    first, second, last = written(
        TrajectoryWriter(only(TrajectoryKind.RESELECT, TERSE)), item
    ).trajectory.turns
    call = '<tool_call>{"name": "select_frames", "arguments": {"target_frames": [5, 6]}}'
    assert first.text.startswith("select frames on the red card ")
    assert second.text == (f"wrong frames select frames on the red card 5 {call}</tool_call>")
    assert last.text == "the frames show \\boxed{1}"
    direct = written(
        TrajectoryWriter(only(TrajectoryKind.DIRECT, TERSE)), item
    ).trajectory.turns
    assert direct[0].text == "focus on the red card 5 1 \\boxed{1}"


def test_a_cue_beyond_the_video_is_refused() -> None:
    item = video(3, cue=FrameCue(frames=(2, FRAMES)))
    for kind in VIDEO_KINDS:
        with pytest.raises(DataError, match="s3: its cue names frame 16, the video has 16"):
            TrajectoryWriter(only(kind, PLAIN)).write(item)
