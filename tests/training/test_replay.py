"""Selective sample replay: what is kept, what is drawn, and that it comes back unchanged."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_world import Scripted, call, opening, tiny

from pixel_core.config import ReplayConfig, RlConfig, SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.training.batching import Order
from pixel_core.training.policy_loss import Sample, learn
from pixel_core.training.replay import Remembered, ReplayBuffer, restore
from pixel_core.training.rollouts import extra_rounds


def sample(step: int, advantage: float, weight: float = 1.0) -> Remembered:
    token = torch.tensor([7])
    return Remembered(step, 0, advantage, token, torch.tensor([weight]), token.double(), [])


@given(
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(0, 6).filter(lambda every: every != 1),
    st.lists(st.lists(st.floats(-2, 2), max_size=6), max_size=20),
    st.integers(0, 8),
)
def test_a_buffer_is_bounded_in_size_and_age(
    capacity: int, age: int, every: int, steps: list[list[float]], count: int
) -> None:
    buffer = ReplayBuffer(ReplayConfig(capacity=capacity, max_age=age, clear_every=every))
    for step, found in enumerate(steps):
        buffer.begin(step)
        last_cleared = step - step % every if every else 0
        for kept in buffer.samples:
            assert last_cleared <= kept.step
            assert 1 <= step - kept.step <= age
        drawn = buffer.draw(count, random.Random(step))
        assert len({id(item) for item in drawn}) == len(drawn)
        assert len(drawn) == min(count, len(buffer.samples))
        assert all(item.advantage for item in drawn)
        buffer.add([sample(step, advantage) for advantage in found])
        assert len(buffer.samples) <= capacity
        newest = [item.advantage for item in buffer.samples if item.step == step]
        assert newest == [advantage for advantage in found if advantage][-capacity:]


def test_rollouts_without_a_trained_token_are_not_remembered() -> None:
    buffer = ReplayBuffer(ReplayConfig(capacity=4))
    buffer.add([sample(0, 1.0, weight=0.0), sample(0, -1.0)])
    assert [item.advantage for item in buffer.samples] == [-1.0]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_samples_are_drawn_by_their_advantage(exponent: float) -> None:
    buffer = ReplayBuffer(ReplayConfig(capacity=3, exponent=exponent))
    buffer.add([sample(0, advantage) for advantage in (0.5, -1.0, 1.5)])
    rng = random.Random(1)
    drawn = Counter(buffer.draw(1, rng)[0].advantage for _ in range(6000))
    weights = {value: abs(value) ** exponent for value in (0.5, -1.0, 1.5)}
    for value, weight in weights.items():
        # Four standard errors of a share of 6000 draws are below 0.026.
        assert drawn[value] / 6000 == pytest.approx(weight / sum(weights.values()), abs=0.026)


def rollouts() -> list[Episode]:
    """Two rollouts of one question, one with a crop of a crop, and their true sampling
    log-probabilities."""
    world = tiny()
    turns = [
        [
            call(world.prompts, (8, 8, 72, 72)),
            call(world.prompts, (4, 4, 60, 60), 2),
            "\\boxed{7}",
        ],
        [call(world.prompts, (0, 0, 900, 9)), "\\boxed{3}"],
    ]
    engine = Scripted(world.vocabulary, turns)
    episodes = run_episodes(
        engine, world.prompts, [opening(world.prompts, 5)], 2, SamplingConfig()
    )
    for episode in episodes:
        transcript = episode.transcript
        new, chosen = scores(transcript)
        places = chosen[0].nonzero()[:, 0] + 1
        transcript.logprobs = [0.0] * len(transcript)
        for place, value in zip(places.tolist(), new.tolist(), strict=True):
            transcript.logprobs[place] = value
    return episodes


def scores(transcript: object) -> tuple[torch.Tensor, torch.Tensor]:
    world = tiny()
    batch = collate([transcript], world.vocabulary.pad, world.vocabulary.image)
    with torch.no_grad():
        logits, targets, chosen = trained_logits(world.model, batch, world.vocabulary.banned)
    return logprobs_of(logits, targets), chosen


def test_a_sample_comes_back_with_its_tokens_and_its_pictures() -> None:
    world = tiny()
    asked: list[int] = []

    def reopen(place: int):
        asked.append(place)
        return opening(world.prompts, 5)

    episodes = rollouts()
    remembered = [Remembered.of(3, 11, 0.5, episode) for episode in episodes]
    back = restore(remembered, reopen)
    assert asked == [11]
    assert [len(episode.shown) for episode in episodes] == [3, 1]
    for found, episode in zip(back, episodes, strict=True):
        was = episode.transcript
        assert found.advantage == 0.5
        assert found.transcript.tokens == was.tokens
        assert found.transcript.weights == was.weights
        assert found.transcript.logprobs == was.logprobs
        for again, visual in zip(found.transcript.visuals, was.visuals, strict=True):
            assert again.size == visual.size
            assert np.array_equal(again.patches, visual.patches)
    first, second = (found.transcript.visuals[0] for found in back)
    assert first is second, "one picture must pass the vision tower once"


def test_an_old_samples_ratio_is_against_its_own_sampler() -> None:
    """The policy has moved since: every token's ratio, by hand, in the loss and its clip."""
    world, config = tiny(), RlConfig(replay=ReplayConfig(capacity=8), clip_high=0.3)
    remembered = [Remembered.of(0, 0, 0.7, episode) for episode in rollouts()]
    old = [
        Sample(s.transcript, s.advantage)
        for s in restore(remembered, lambda _: opening(world.prompts, 5))
    ]
    torch.manual_seed(0)
    before = {name: value.clone() for name, value in world.model.state_dict().items()}
    try:
        with torch.no_grad():
            for parameter in world.model.parameters():
                parameter += 0.01 * torch.randn_like(parameter)
        row = learn(world.model, [], world.vocabulary, config, replayed=old)
        loss, outside, tokens = 0.0, 0, 0
        for item in old:
            new, chosen = scores(item.transcript)
            sampled = torch.tensor(item.transcript.logprobs[1:])[chosen[0]]
            for ratio in (new.double() - sampled.double()).exp().tolist():
                loss -= 0.7 * min(ratio, 1.3)  # A above 0: only the upper bound can bind
                outside += not 0.8 <= ratio <= 1.3
                tokens += 1
    finally:
        world.model.load_state_dict(before)
        world.model.zero_grad()
    assert 0 < outside < tokens, "the clip must bind on some tokens, not on all"
    assert row["loss"] == pytest.approx(loss, rel=1e-4)
    assert row["denominator"] == row["clipped_replay/n"] == tokens
    assert row["clipped_replay"] == outside
    # The watch over the sampler is for fresh tokens.
    assert row["kl_sampler/n"] == row["kl_sampler"] == 0


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 30), st.integers(0, 4))
def test_extra_rounds_bring_questions_the_step_has_not_met(
    count: int, queries: int, step: int, rounds: int
) -> None:
    orders = Order(count, queries, "main"), Order(count, queries, "extra")
    met = orders[0].at(step)
    found = list(extra_rounds(*orders, step, rounds))
    assert len(found) == rounds
    for fresh in found:
        assert len(fresh) <= queries
        assert len(set(fresh)) == len(fresh)
        assert not set(fresh) & set(met)
        met = met + fresh
    # Asked again, in another process or after a resume, it is the same.
    assert list(extra_rounds(*orders, step, rounds)) == found
