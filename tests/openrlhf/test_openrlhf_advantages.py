"""Our advantages against those OpenRLHF trains with, from its own experience maker.

| ours            | OpenRLHF's estimator | relation                                        |
|-----------------|----------------------|-------------------------------------------------|
| `mean`          | `dr_grpo`            | equal                                           |
| `leave_one_out` | `rloo`               | equal                                           |
| `mean_std`      | `group_norm`         | theirs = ours * sqrt((g-1)/g): it divides by    |
|                 |                      | the UNBIASED deviation (g-1), plus 1e-9         |

Its `reinforce_baseline` normalises once more over the whole batch; we have no such kind.
Compared in float64, to see the definition, and in float32, as it trains. Tolerances: 1e-9
absolute in float64 (1e-6 for `group_norm`, whose 1e-9 is left out of our formula), 2e-4 in
float32 for groups whose rewards differ by at least 0.02, which is rounding over deviation.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
from openrlhf.trainer.ppo_utils.kl_controller import FixedKLController

from pixel_core.rewards.advantages import UNIFORM, advantages

#: Our kind, its estimator, the factor from ours to theirs for a group of g.
PAIRS = [
    ("mean", "dr_grpo", lambda g: 1.0),
    ("leave_one_out", "rloo", lambda g: 1.0),
    ("mean_std", "group_norm", lambda g: ((g - 1) / g) ** 0.5),
]
MEAN_PAIRS = PAIRS[:2]


def make(estimator: str, rewards_qg: torch.Tensor, seed: int = 0) -> list[Experience]:
    """Its experiences with advantages: rollouts shuffled over batches, of unequal length,
    with tool returns masked out in between. No KL in the reward."""
    generator = torch.Generator().manual_seed(seed)
    count, group = rewards_qg.numel(), rewards_qg.shape[1]
    advantage = SimpleNamespace(estimator=estimator, gamma=1.0)
    args = SimpleNamespace(
        rollout=SimpleNamespace(n_samples_per_prompt=group),
        reward=SimpleNamespace(clip_range=None),
        algo=SimpleNamespace(advantage=advantage),
    )
    maker = RemoteExperienceMaker(
        None, None, None, None, FixedKLController(0.0), SimpleNamespace(args=args), None
    )
    batches = []
    for index in torch.randperm(count, generator=generator).split(3):
        mask_bt = torch.rand(len(index), 7, generator=generator) < 0.6
        mask_bt[:, 0] = True
        batches.append(
            Experience(
                index=index.tolist(),
                rewards=rewards_qg.flatten()[index],
                action_mask=mask_bt,
                kl=torch.zeros(mask_bt.shape, dtype=rewards_qg.dtype),
                info={},
            )
        )
    return maker.compute_advantages_and_returns(batches)


def theirs(estimator: str, rewards_qg: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Its advantage of each rollout, (q, g), after it was found equal at all its tokens."""
    result = np.full(rewards_qg.size, np.nan)
    for batch in make(estimator, torch.tensor(rewards_qg, dtype=dtype)):
        for row, place in enumerate(batch.index):
            trained_t = batch.advantages[row][batch.action_mask[row]]
            assert (trained_t == trained_t[0]).all()
            result[place] = trained_t[0].item()
    return result.reshape(rewards_qg.shape)


def ours(kind: str, rewards_qg: np.ndarray) -> np.ndarray:
    return np.stack([advantages(rewards_g, kind) for rewards_g in rewards_qg])


@st.composite
def reward_groups(draw: st.DrawFn) -> np.ndarray:
    """(q, g): groups whose rewards differ by 0.02 or more, or not at all."""
    size = draw(st.integers(2, 8))
    group = st.lists(st.floats(-2, 2), min_size=size, max_size=size).filter(
        lambda values: np.ptp(values) == 0 or np.ptp(values) >= 0.02
    )
    uniform = st.floats(-2, 2).map(lambda value: [value] * size)
    return np.array(draw(st.lists(group | uniform, min_size=1, max_size=5)))


@pytest.mark.parametrize(("kind", "estimator", "factor"), PAIRS)
@given(rewards_qg=reward_groups())
@settings(max_examples=200, deadline=None)
def test_the_definition_is_the_same(kind, estimator, factor, rewards_qg) -> None:
    expected = ours(kind, rewards_qg) * factor(rewards_qg.shape[1])
    tolerance = 1e-6 if kind == "mean_std" else 1e-9
    result = theirs(estimator, rewards_qg, torch.float64)
    varied_q = np.ptp(rewards_qg, axis=1) > 0
    np.testing.assert_allclose(result[varied_q], expected[varied_q], rtol=0, atol=tolerance)


@pytest.mark.parametrize(("kind", "estimator", "factor"), PAIRS)
@given(rewards_qg=reward_groups())
@settings(max_examples=200, deadline=None)
def test_in_the_precision_it_trains_in(kind, estimator, factor, rewards_qg) -> None:
    expected = ours(kind, rewards_qg) * factor(rewards_qg.shape[1])
    result = theirs(estimator, rewards_qg, torch.float32)
    varied_q = np.ptp(rewards_qg, axis=1) > 0
    np.testing.assert_allclose(result[varied_q], expected[varied_q], rtol=0, atol=2e-4)


@pytest.mark.parametrize(("kind", "estimator"), [pair[:2] for pair in MEAN_PAIRS])
def test_equal_rewards_give_nothing_in_both(kind, estimator) -> None:
    rewards_qg = np.repeat(np.arange(-200, 201)[:, None] / 100, 8, axis=1)
    assert not ours(kind, rewards_qg).any()
    np.testing.assert_allclose(
        theirs(estimator, rewards_qg, torch.float32), 0.0, rtol=0, atol=1e-6
    )


def test_equal_rewards_can_give_its_group_norm_an_advantage_and_never_ours() -> None:
    """In float32 the mean of three rewards of 0.9 isn't 0.9, and the last bit, 6e-8, is
    divided by a deviation of about nothing plus 1e-9. Eight of 0.95 (all right, each with a
    call too many) gave 0.92 alone and 59.6 in a batch. Its own remedy is to filter such
    groups out beforehand; ours is ``UNIFORM``."""
    rewards_qg = np.array([[0.9] * 3])
    assert np.abs(theirs("group_norm", rewards_qg, torch.float32)).min() > 0.5
    assert not ours("mean_std", rewards_qg).any()


def test_differences_below_our_threshold_are_noise_here_and_a_signal_there() -> None:
    rewards_qg = np.array([[0.5, 0.5, 0.5, 0.5 + UNIFORM / 10]])
    assert np.abs(theirs("group_norm", rewards_qg, torch.float64)).max() > 1
    assert not ours("mean_std", rewards_qg).any()
