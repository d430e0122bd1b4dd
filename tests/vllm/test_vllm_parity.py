"""vLLM says what the embedded engine says: whole episodes, token by token."""

from __future__ import annotations

from collections import Counter

import pytest
from tiny_world import call, opening, video_opening
from warm_start import GREEDY, LOGPROB_TOLERANCE, Led, agreement

from pixel_core.config import SamplingConfig
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.tool_calls import SelectCall, format_call

SAMPLED = [SamplingConfig(temperature=1.0), SamplingConfig(temperature=0.7, top_p=0.9)]


def test_greedy_episodes_of_every_test_question(warm_start, engine, record_property) -> None:
    ours = run_episodes(
        warm_start.embedded(), warm_start.prompts, warm_start.openings, 1, GREEDY
    )
    theirs = run_episodes(engine, warm_start.prompts, warm_start.openings, 1, GREEDY)
    same, apart = agreement(ours, theirs)
    acts = Counter((e.zooms > 0, e.selections > 0, e.failures > 0) for e in ours)
    print(f"\ngreedy: {same} of {len(ours)} episodes, apart {apart:.1e}; {acts}")
    # Else the agreement would say little: it zooms, selects, is refused, and is cut short.
    assert sum(e.zooms for e in ours) >= 30
    assert sum(e.selections for e in ours) >= 10
    assert sum(e.failures for e in ours) >= 10
    assert same == len(ours) >= 300
    assert apart < LOGPROB_TOLERANCE


@pytest.mark.parametrize("sampling", SAMPLED, ids=["plain", "cooled and cut"])
def test_sampled_episodes_from_the_same_seed(warm_start, engine, sampling) -> None:
    """Sampling follows the seed in both: a near tie may fall apart, a rule may not differ."""
    embedded = warm_start.embedded(seed=7)
    engine.reseed(7)
    asked = (warm_start.prompts, warm_start.openings[:100], 3, sampling)
    ours, theirs = run_episodes(embedded, *asked), run_episodes(engine, *asked)
    same, apart = agreement(ours, theirs)
    print(f"\n{sampling!r}: {same} of {len(ours)} episodes, apart {apart:.1e}")
    assert same >= 0.99 * len(ours)
    assert apart < LOGPROB_TOLERANCE
    assert len({tuple(e.transcript.tokens) for e in ours}) > 150


def test_another_seed_says_something_else(warm_start, engine) -> None:
    asked = (warm_start.prompts, warm_start.openings[:20], 2, SAMPLED[0])
    said = []
    for seed in (1, 2, 1):
        engine.reseed(seed)
        said.append([e.transcript.tokens for e in run_episodes(engine, *asked)])
    assert said[0] == said[2] != said[1]


@pytest.mark.parametrize("zooms", [0, 1, 2, 3])
@pytest.mark.parametrize("sizes", [((448, 448),), ((300, 900), (448, 224), (500, 500))])
def test_several_pictures_and_several_zooms(warm_start, engine, sizes, zooms) -> None:
    """Crops are returned turn after turn, of the last picture shown; shapes differ."""
    starts = [opening(warm_start.prompts, seed, sizes) for seed in range(4)]
    turns = [
        f"zoom in on {call(warm_start.prompts, (4, 4, 44 - zoom, 50), len(sizes) + zoom)}"
        for zoom in range(zooms)
    ]
    led = []
    for each in (warm_start.embedded(), engine):
        leader = Led(each, warm_start.vocabulary, turns)
        episodes = run_episodes(leader, warm_start.prompts, starts, 1, GREEDY)
        assert all(e.zooms >= zooms for e in episodes)
        led.append(leader.own)
    same, apart = agreement(*led)
    assert same == len(led[0]) >= len(starts) * (zooms + 1)
    assert apart < LOGPROB_TOLERANCE


def test_selected_frames_turn_after_turn(warm_start, engine) -> None:
    starts = [video_opening(warm_start.prompts, seed, frames=16) for seed in range(4)]
    frames = warm_start.dialogue.frames
    turns = [
        f"look at {format_call(SelectCall(chosen), warm_start.dialogue.zoom, frames)}"
        for chosen in ((3, 4), (16, 1, 7), (2,))
    ]
    led = []
    for each in (warm_start.embedded(), engine):
        leader = Led(each, warm_start.vocabulary, turns)
        episodes = run_episodes(leader, warm_start.prompts, starts, 1, GREEDY)
        assert all(e.selections >= len(turns) for e in episodes)
        led.append(leader.own)
    same, apart = agreement(*led)
    assert same == len(led[0]) >= len(starts) * (len(turns) + 1)
    assert apart < LOGPROB_TOLERANCE
