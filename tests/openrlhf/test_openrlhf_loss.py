"""Our clipped loss and divergence against the ones OpenRLHF trains with.

Equal in value and in gradient, in float64 to 1e-12, with three stated differences:

- It bounds the logarithm of the ratio to +-20, we do not. It shows only where a token became
  e^20 times likelier and was bad: there its gradient ends and ours goes on.
- Its k3 divergence is computed in float32 and bounded: at most 10 a token, with no gradient
  beyond (reached where the policy's log-probability is about 2.6 below the reference's).
- Its mean is over the tokens of all rollouts it is given, ours over those of groups with an
  advantage. They are one number once such groups are left out of its batch, as its dynamic
  filtering does; else ours is larger by tokens given / tokens with an advantage.

Legend: b rollout, t token (masked ones included), k trained token.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openrlhf.models import PolicyLoss, aggregate_loss
from openrlhf.models.utils import compute_approx_kl
from openrlhf.utils.loss_utils import iter_grad_accum_global_norm
from test_openrlhf_advantages import MEAN_PAIRS, make, ours
from torch import Tensor

from pixel_core.config import RewardConfig
from pixel_core.rewards.shaping import shape
from pixel_core.training.policy_loss import clipped, divergence

CLIPS = [(0.2, 0.2), (0.2, 0.35)]
seeds = st.integers(0, 2**31)


def rollouts(seed: int, b: int = 5, t: int = 9) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """New and old log-probabilities, advantages and a mask, each (b, t), float64. The ratios
    leave the clip's bounds on both sides."""
    generator = torch.Generator().manual_seed(seed)
    old_bt = -5 * torch.rand(b, t, generator=generator, dtype=torch.float64)
    drift_bt = 0.4 * torch.randn(b, t, generator=generator, dtype=torch.float64)
    advantage_b = torch.randn(b, 1, generator=generator, dtype=torch.float64)
    mask_bt = torch.rand(b, t, generator=generator) < 0.6
    mask_bt[:, 0] = True
    return old_bt + drift_bt, old_bt, advantage_b.expand(b, t), mask_bt


def our_sum(new_bt, old_bt, advantage_bt, mask_bt, low: float, high: float) -> Tensor:
    """The summed loss of the trained tokens: what ``learn`` takes the gradient of."""
    chosen = (new_bt[mask_bt], old_bt[mask_bt], advantage_bt[mask_bt])
    return clipped(*chosen, low, high).sum()


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of)[0]


@pytest.mark.parametrize(("low", "high"), CLIPS)
@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_the_token_mean_and_its_gradient(seed, low, high) -> None:
    new_bt, old_bt, advantage_bt, mask_bt = rollouts(seed)
    new_bt.requires_grad_(True)
    expected, *_ = PolicyLoss(low, high)(new_bt, old_bt, advantage_bt, mask_bt)
    loss = our_sum(new_bt, old_bt, advantage_bt, mask_bt, low, high) / mask_bt.sum()
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        gradient(loss, new_bt), gradient(expected, new_bt), rtol=0, atol=1e-12
    )


def test_the_random_rollouts_reach_both_bounds_and_the_middle() -> None:
    """Else the agreement above would say little."""
    outcomes = set()
    for seed in range(5):
        new_bt, old_bt, advantage_bt, mask_bt = rollouts(seed)
        ratio_k = (new_bt - old_bt).exp()[mask_bt]
        for ratio, advantage in zip(ratio_k, advantage_bt[mask_bt], strict=True):
            side = "low" if ratio < 0.8 else "high" if ratio > 1.35 else "middle"
            outcomes.add((side, bool(advantage > 0)))
    assert len(outcomes) == 6


@pytest.mark.parametrize(("low", "high"), CLIPS)
@given(seed=seeds)
@settings(max_examples=50, deadline=None)
def test_in_single_precision(seed, low, high) -> None:
    new_bt, old_bt, advantage_bt, mask_bt = rollouts(seed)
    new_bt, old_bt, advantage_bt = new_bt.float(), old_bt.float(), advantage_bt.float()
    expected, *_ = PolicyLoss(low, high)(new_bt, old_bt, advantage_bt, mask_bt)
    loss = our_sum(new_bt, old_bt, advantage_bt, mask_bt, low, high) / mask_bt.sum()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("micro_batches", [2, 3, 5])
def test_one_mean_over_the_step_however_it_is_cut(micro_batches: int) -> None:
    """Its normaliser, over micro-batches of unequal token counts, and its engine's division
    by their number; ours sums them and divides once."""
    new_bt, old_bt, advantage_bt, mask_bt = rollouts(7, b=15)
    new_bt.requires_grad_(True)
    parts = torch.arange(15).tensor_split(micro_batches)
    strategy = SimpleNamespace()
    expected = torch.zeros((), dtype=torch.float64)
    for rows, info in iter_grad_accum_global_norm(
        parts, strategy, micro_batches, lambda rows: mask_bt[rows]
    ):
        loss, *_ = PolicyLoss(0.2, 0.35)(
            new_bt[rows], old_bt[rows], advantage_bt[rows], mask_bt[rows], **info
        )
        expected = expected + loss / micro_batches
    sums = [
        our_sum(new_bt[rows], old_bt[rows], advantage_bt[rows], mask_bt[rows], 0.2, 0.35)
        for rows in parts
    ]
    ours_mean = torch.stack(sums).sum() / mask_bt.sum()
    # Its token count is a float32.
    torch.testing.assert_close(ours_mean, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        gradient(ours_mean, new_bt), gradient(expected, new_bt), rtol=1e-6, atol=1e-15
    )


@pytest.mark.parametrize("log_ratio", [-25.0, -19.0, 19.0, 25.0])
@pytest.mark.parametrize("advantage", [-1.5, 1.5])
def test_the_bound_on_the_ratio_shows_only_far_out_and_for_bad_tokens(
    log_ratio: float, advantage: float
) -> None:
    old = torch.tensor([[-30.0]], dtype=torch.float64)
    new = (old + log_ratio).requires_grad_(True)
    advantages_bt, mask = torch.full_like(old, advantage), torch.ones_like(old)
    expected, *_ = PolicyLoss(0.2, 0.35)(new, old, advantages_bt, mask)
    loss = clipped(new, old, advantages_bt, 0.2, 0.35).mean()
    if log_ratio == 25.0 and advantage < 0:
        assert expected.item() == pytest.approx(1.5 * math.exp(20))
        assert gradient(expected, new).item() == 0
        assert loss.item() == pytest.approx(1.5 * math.exp(25))
        assert gradient(loss, new).item() == pytest.approx(1.5 * math.exp(25))
        return
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-8)
    torch.testing.assert_close(
        gradient(loss, new), gradient(expected, new), rtol=1e-12, atol=1e-8
    )


@given(seed=seeds)
@settings(max_examples=100, deadline=None)
def test_the_divergence_from_a_reference_and_its_gradient(seed) -> None:
    new_bt, reference_bt, _, mask_bt = rollouts(seed)
    new_bt.requires_grad_(True)
    expected = aggregate_loss(
        compute_approx_kl(new_bt, reference_bt, kl_estimator="k3"), mask_bt
    )
    result = divergence(new_bt[mask_bt], reference_bt[mask_bt]).sum() / mask_bt.sum()
    torch.testing.assert_close(result, expected.double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        gradient(result, new_bt), gradient(expected, new_bt), rtol=0, atol=1e-6
    )


def test_its_divergence_ends_at_ten_and_ours_does_not() -> None:
    reference = torch.zeros(1, dtype=torch.float64)
    new = torch.tensor([-3.0], dtype=torch.float64, requires_grad=True)
    expected = compute_approx_kl(new, reference, kl_estimator="k3")
    result = divergence(new, reference)
    assert expected.item() == 10
    assert gradient(expected, new).item() == 0
    assert result.item() == pytest.approx(math.exp(3) - 1 - 3)
    assert gradient(result, new).item() == pytest.approx(1 - math.exp(3))


@pytest.mark.parametrize(("kind", "estimator"), [pair[:2] for pair in MEAN_PAIRS])
def test_from_shaped_rewards_to_the_gradient(kind, estimator) -> None:
    """A whole step: three queries with the curiosity reward, the last all right and uniform."""
    config = RewardConfig()
    right_qg = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]])
    calls_qg = np.array([[0, 1, 0, 0], [1, 3, 0, 0], [1, 1, 1, 1]])
    rewards_qg = np.stack(
        [
            shape(right_g, calls_g > 0, calls_g, config).total
            for right_g, calls_g in zip(right_qg, calls_qg, strict=True)
        ]
    )
    ours_b = torch.tensor(ours(kind, rewards_qg)).flatten()
    batches = make(estimator, torch.tensor(rewards_qg), seed=3)
    given_tokens = sum(int(batch.action_mask.sum()) for batch in batches)
    total, expected, tokens = 0.0, 0.0, 0
    leaves = []
    for place, batch in enumerate(batches):
        new_bt, old_bt, *_ = rollouts(place, *batch.action_mask.shape)
        leaves.append(new_bt.requires_grad_(True))
        signal_b = ours_b[batch.index]
        mask_bt = batch.action_mask & (signal_b != 0)[:, None]
        advantage_bt = signal_b[:, None].expand(new_bt.shape)
        total = total + our_sum(new_bt, old_bt, advantage_bt, mask_bt, 0.2, 0.35)
        tokens += int(mask_bt.sum())
        loss, *_ = PolicyLoss(0.2, 0.35)(
            new_bt,
            old_bt,
            batch.advantages,
            batch.action_mask,
            batch_num_tokens=given_tokens,
        )
        expected = expected + loss
    assert 0 < tokens < given_tokens
    gradients = torch.autograd.grad(total / tokens, leaves)
    theirs = torch.autograd.grad(expected * given_tokens / tokens, leaves)
    for ours_bt, theirs_bt in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(ours_bt, theirs_bt, rtol=0, atol=1e-12)
