"""OpenRLHF trains with our agent, is killed, and goes on: what its steps did."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from replaying import Replayed, logprobs_with
from training_run import KILL_AFTER, TrainingRun

from pixel_core.rewards.advantages import advantages
from pixel_core.rewards.shaping import ShapedRewards, shape
from pixel_core.rollout.episode import Episode

#: vLLM's bfloat16 log-probabilities are this near to float32 ones with the same weights, on
#: average; found: 0.001 to 0.005, against 0.1 with the weights of the step before.
ROUNDING = 0.01


@pytest.fixture(scope="module")
def steps(trained: TrainingRun) -> list[list[Replayed]]:
    """The rollouts of each step, carried out again."""
    return [
        [Replayed.of(trained, trained.rollout_of(item)) for item in step["items"]]
        for step in trained.steps
    ]


def test_a_resumed_run_goes_on_after_the_saved_step(trained: TrainingRun) -> None:
    assert trained.saved == KILL_AFTER
    assert len(trained.steps) == trained.config.rl.steps
    assert [row["step"] for row in trained.curve] == [1, 2, 3, 4, 5]
    said = trained.folder.log.read_text(encoding="utf-8")
    assert "Loading the checkpoint" in said


def test_it_goes_on_from_the_saved_weights_bit_for_bit(trained: TrainingRun) -> None:
    first = trained.steps[trained.saved]["weights"]
    for name, saved in trained.saved_weights.items():
        assert torch.equal(first[name], saved), name
    for before, after in pairwise(trained.steps):
        assert all(torch.equal(after["weights"][n], t) for n, t in before["after"].items())


def test_no_question_is_asked_twice_and_none_left_out(trained: TrainingRun) -> None:
    lines = trained.folder.train.read_text(encoding="utf-8").splitlines()
    asked = Counter(item["labels"][0] for step in trained.steps for item in step["items"])
    assert len(lines) == trained.config.rl.steps * trained.config.rl.queries
    assert sum(asked.values()) == len(lines) * trained.config.rl.group
    assert all(count % trained.config.rl.group == 0 for count in asked.values())


def shaped_rewards(trained: TrainingRun, group: list[Episode]) -> ShapedRewards:
    return shape(
        [episode.correct for episode in group],
        [episode.operations > 0 for episode in group],
        [episode.attempts for episode in group],
        trained.config.rl.reward,
    )


def groups_of(replayed: list[Replayed]) -> list[list[int]]:
    """Places in the step of each question's rollouts."""
    groups: dict[str, list[int]] = {}
    for place, one in enumerate(replayed):
        groups.setdefault(one.episode.query.id, []).append(place)
    return list(groups.values())


def test_the_curve_tells_what_the_rollouts_did(
    trained: TrainingRun, steps: list[list[Replayed]]
) -> None:
    for row, replayed in zip(trained.curve, steps, strict=True):
        episodes = [one.episode for one in replayed]
        bonus = [
            shaped_rewards(trained, [episodes[place] for place in group]).curiosity
            for group in groups_of(replayed)
        ]
        told = {
            "accuracy": np.mean([episode.correct for episode in episodes]),
            "rapr": np.mean([episode.operations > 0 for episode in episodes]),
            "operations": np.mean([episode.attempts for episode in episodes]),
            "reward_curiosity": np.concatenate(bonus).mean(),
        }
        for key, expected in told.items():
            assert row[key] == pytest.approx(expected, abs=1e-5), key


def test_what_is_trained_on_has_our_advantages(
    trained: TrainingRun, steps: list[list[Replayed]]
) -> None:
    """Those our own trainer computes, of the curiosity reward; in OpenRLHF's float32."""
    for step, replayed in zip(trained.steps, steps, strict=True):
        for group in groups_of(replayed):
            shaped = shaped_rewards(trained, [replayed[place].episode for place in group])
            expected_g = advantages(shaped.total, trained.config.rl.advantage)
            for place, expected in zip(group, expected_g, strict=True):
                item = step["items"][place]
                given = item["advantages"][item["action_mask"].bool()]
                np.testing.assert_allclose(given.numpy(), expected, rtol=0, atol=1e-5)


def taught(step: dict) -> bool:
    """Whether any rollout of the step was better than another of its group."""
    return any(bool(item["advantages"].any()) for item in step["items"])


def test_a_step_with_an_advantage_changes_the_weights(trained: TrainingRun) -> None:
    assert sum(map(taught, trained.steps)) >= 2
    for step in filter(taught, trained.steps):
        before = step["weights"]
        assert any(not torch.equal(before[n], tensor) for n, tensor in step["after"].items())


def test_vllm_samples_with_the_weights_of_the_step(
    trained: TrainingRun, steps: list[list[Replayed]]
) -> None:
    """Its log-probabilities are those of the weights at the step's start, and not those of
    the step before."""
    for number, replayed in enumerate(steps):
        sampled = np.concatenate([one.sampled_logprobs for one in replayed])
        now = logprobs_with(trained, trained.steps[number]["weights"], replayed)
        assert np.abs(now - sampled).mean() < ROUNDING
        if number and taught(trained.steps[number - 1]):
            old = logprobs_with(trained, trained.steps[number - 1]["weights"], replayed)
            assert np.abs(old - sampled).mean() > 3 * np.abs(now - sampled).mean()


def test_pictures_are_encoded_anew_after_a_step(trained: TrainingRun) -> None:
    """The same pictures are shown at both validations, while the vision tower is trained: what
    vLLM made of them the first time is of no use the second time."""
    first, second = trained.steps[1]["after"], trained.steps[3]["after"]
    replayed = [Replayed.of(trained, rollout) for rollout in trained.validation_at(4)]
    labels = [rollout["label"] for rollout in trained.validation_at(2)]
    assert sorted(labels) == sorted(one.recorded["label"] for one in replayed)
    sampled = np.concatenate([one.sampled_logprobs for one in replayed])
    now = np.abs(logprobs_with(trained, second, replayed) - sampled).mean()
    mixed = {name: (first if ".visual." in name else second)[name] for name in second}
    stale = np.abs(logprobs_with(trained, mixed, replayed) - sampled).mean()
    assert now < ROUNDING
    assert stale > 2 * now


def test_validation_is_accuracy_without_bonus(trained: TrainingRun) -> None:
    for number in (2, 4):
        rollouts = trained.validation_at(number)
        right = [Replayed.of(trained, rollout).episode.correct for rollout in rollouts]
        assert [rollout["response"]["reward"] for rollout in rollouts] == right
        row = trained.curve[number - 1]
        assert row["validation_accuracy"] == pytest.approx(np.mean(right))
