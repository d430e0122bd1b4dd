"""Videos in the episode loop: frames shown small, some selected, counted and replayed."""

from __future__ import annotations

import pytest
from tiny_world import Scripted, call, dialogue, tiny, video_opening

from pixel_core.config import FramesConfig, PixelBudget, SamplingConfig
from pixel_core.records import (
    Picture,
    Query,
    Rollout,
    StopReason,
    Trajectory,
    TrajectoryKind,
    Turn,
)
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.replay import replay_shown
from pixel_core.rollout.tool_calls import CallErrorKind, SelectCall, format_call

TURN = 64
ANSWER = "the crop shows \\boxed{7}"
ZOOM = "zoom in " + call(tiny().prompts, (4, 4, 40, 40), 2)


def select(*frames: int) -> str:
    config = dialogue()
    return "look " + format_call(SelectCall(frames), config.zoom, config.frames)


def play(turns: list[str], **settings: object) -> Episode:
    # The tiny tokenizer has no word for this call: its letters are up to 50 tokens.
    world = tiny(config=dialogue(**{"max_new_tokens": TURN} | settings))
    start = video_opening(world.prompts, 1)
    engine = Scripted(world.vocabulary, [list(turns)])
    (episode,) = run_episodes(engine, world.prompts, [start], 1, SamplingConfig())
    assert len(episode.transcript.tokens) == len(episode.transcript.weights)
    return episode


def test_frames_are_shown_small_and_selected_ones_larger() -> None:
    episode = play([select(3, 1), ANSWER])
    assert episode.video
    assert episode.stop is StopReason.ANSWERED
    assert [picture.size for picture in episode.shown] == [(56, 56)] * 4 + [(112, 112)] * 2
    assert [picture.picture for picture in episode.shown[4:]] == [2, 0]
    assert len(episode.transcript.visuals) == 6
    assert episode.steps[0].frames == (2, 0)
    assert episode.steps[0].box is None


def test_operations_are_counted_by_kind() -> None:
    episode = play([select(1), ZOOM, select(9), ANSWER])
    assert (episode.attempts, episode.operations) == (3, 2)
    assert (episode.selections, episode.zooms, episode.failures) == (1, 1, 1)
    record = Rollout.model_validate_json(episode.record().model_dump_json())
    assert (record.operations, record.selections, record.failed_operations) == (2, 1, 1)
    assert record.steps[0].frames == (0,)


def test_zoom_counts_over_all_that_was_shown() -> None:
    """A frame can be zoomed into before and after others were selected, by one number."""
    before = play([ZOOM, ANSWER])
    after = play([select(4), ZOOM, ANSWER])
    assert before.shown[4].picture == after.shown[5].picture == 1
    assert before.shown[4].region == after.shown[5].region
    last = play([select(4), ZOOM.replace('"target_image": 2', '"target_image": 5'), ANSWER])
    assert last.shown[5].picture == 3


@pytest.mark.parametrize(
    ("turns", "failed"),
    [
        ([ANSWER], False),
        ([select(1), ANSWER], False),
        ([select(9), ANSWER], True),
        ([select(1), select(9), ANSWER], True),
        ([select(9), select(1), ANSWER], False),
        ([select(1), "<tool_call>", ANSWER], True),
    ],
)
def test_whether_the_last_call_failed(turns: list[str], failed: bool) -> None:
    assert play(turns).last_failed is failed


def test_an_unknown_frame_is_told_with_how_many_there_are() -> None:
    episode = play([select(2, 5), ANSWER])
    assert episode.steps[0].error == CallErrorKind.FRAME_UNKNOWN
    said = tiny().vocabulary.decode(episode.transcript.tokens)
    assert "frames 1 to 4" in said


def test_a_video_counts_as_one_picture() -> None:
    assert play([select(1, 2), ANSWER], max_pictures=3).stop is StopReason.ANSWERED
    full = play([select(1, 2), ANSWER], max_pictures=2)
    assert (full.stop, full.operations, full.last_failed) == (StopReason.CONTEXT_FULL, 0, True)
    assert len(full.shown) == 4


def test_frames_that_do_not_fit_the_context_are_not_shown() -> None:
    said = len(tiny().vocabulary.encode_plain(ANSWER)) + 1
    prompt = len(play([ANSWER]).transcript) - said
    episode = play([select(1, 2, 3, 4)], max_tokens=prompt + TURN)
    assert (episode.stop, episode.failures) == (StopReason.CONTEXT_FULL, 1)
    assert len(episode.transcript) <= prompt + TURN


def test_selecting_can_be_left_out() -> None:
    budget = PixelBudget(min_pixels=56 * 56, max_pixels=56 * 56)
    episode = play([select(1), ANSWER], frames=FramesConfig(enabled=False, frame=budget))
    assert episode.steps[0].error == CallErrorKind.UNKNOWN_TOOL
    assert episode.shown[0].size == (56, 56)


def test_a_replayed_trajectory_has_the_tokens_of_the_episode() -> None:
    for prompt, room in (("compact", 1024), ("full", 8000)):
        config = dialogue(prompt=prompt, max_tokens=room, max_new_tokens=TURN)
        world = tiny(config=config)
        turns = [select(3, 1), ZOOM, ANSWER]
        trajectory = Trajectory(
            id="t",
            seed_id="s",
            kind=TrajectoryKind.SINGLE_PASS,
            turns=tuple(Turn(text=text) for text in turns),
        )
        start = video_opening(world.prompts, 1)
        transcript, shown = replay_shown(trajectory, start, world.prompts)
        episode = play(turns, prompt=prompt, max_tokens=room)
        assert transcript.tokens == episode.transcript.tokens
        assert [one.size for one in shown] == [one.size for one in episode.shown]


def test_the_full_prompt_offers_frames_for_a_video_alone() -> None:
    world = tiny(config=dialogue(prompt="full", max_tokens=8000))
    start = video_opening(world.prompts, 1)
    text = world.vocabulary.decode(world.prompts.open(start.query, start.visuals).tokens)
    assert '"name": "select_frames"' in text
    assert '"name": "zoom_in"' in text
    assert "4 pictures that follow are the frames" in text
    still = start.query.model_copy(update={"is_video": False})
    text = world.vocabulary.decode(world.prompts.open(still, start.visuals).tokens)
    assert "select_frames" not in text
    assert "frame" not in text
    episode = play([select(3, 1), ANSWER], prompt="full", max_tokens=8000)
    said = world.vocabulary.decode(episode.transcript.tokens)
    assert "frame 3 is picture 5, 112 x 112" in said
    assert "frame 1 is picture 6, 112 x 112" in said


def test_records_without_a_video_keep_their_bytes() -> None:
    picture = Picture(member="m", width=1, height=1, sha256="")
    query = Query(id="q", question="?", pictures=(picture,), answers=("1",))
    assert "video" not in query.model_dump_json()
    video = query.model_copy(update={"is_video": True})
    assert Query.model_validate_json(video.model_dump_json()) == video
