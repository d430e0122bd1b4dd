"""The clipped loss and its batch: against a plain autograd version of the paper's words."""

from __future__ import annotations

from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_world import opening, tiny
from torch.distributions import Categorical

from pixel_core.config import RlConfig, SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import trained_logits
from pixel_core.rollout.episode import run_episodes
from pixel_core.training.policy_loss import Sample, clipped, divergence, learn

CONFIG = RlConfig()
LOGPROBS = st.floats(-5, 0)


@given(LOGPROBS, LOGPROBS, st.floats(-3, 3))
def test_clipping_never_rewards_leaving_the_trust_region(
    new: float, old: float, advantage: float
) -> None:
    values = [torch.tensor([x], dtype=torch.float64) for x in (new, old, advantage)]
    values[0].requires_grad_(True)
    loss = clipped(values[0], values[1], values[2], 0.2, 0.35)
    loss.sum().backward()
    ratio = torch.exp(values[0] - values[1]).item()
    outside = (advantage > 0 and ratio > 1.35) or (advantage < 0 and ratio < 0.8)
    assert values[0].grad is not None
    if outside:
        assert values[0].grad.item() == 0.0
    elif advantage:
        expected = -advantage * ratio
        assert abs(values[0].grad.item() - expected) < 1e-9


def _rollouts() -> list[Sample]:
    world = tiny()
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=1)
    episodes = run_episodes(
        engine,
        world.prompts,
        [opening(world.prompts, seed) for seed in range(3)],
        4,
        SamplingConfig(),
    )
    for episode in episodes:  # a random model never ends its turn: train the cut ones here
        transcript = episode.transcript
        transcript.weights = [float(lp != 0.0) for lp in transcript.logprobs]
    return [Sample(e.transcript, float(i % 3 - 1)) for i, e in enumerate(episodes)]


def test_on_policy_the_gradient_is_the_policy_gradient_of_all_tokens() -> None:
    """Micro-batches must not change it: one token mean over the whole batch."""
    world = tiny()
    samples = _rollouts()
    world.model.zero_grad()
    row = learn(world.model, samples, world.vocabulary, CONFIG)
    ours = {n: p.grad.clone() for n, p in world.model.named_parameters() if p.grad is not None}
    world.model.zero_grad()
    expected_tokens = 0
    for sample in samples:
        batch = collate([sample.transcript], world.vocabulary.pad, world.vocabulary.image)
        logits, targets, _ = trained_logits(world.model, batch, world.vocabulary.banned)
        logprobs = logits.log_softmax(-1).gather(1, targets[:, None])
        (-sample.advantage * logprobs).sum().backward()
        expected_tokens += len(targets)
    assert row["denominator"] == expected_tokens
    assert abs(row["kl_sampler"] / expected_tokens) < 1e-5
    for name, parameter in world.model.named_parameters():
        if parameter.grad is not None:
            scale = parameter.grad.abs().max().clamp(min=1.0)
            torch.testing.assert_close(
                ours[name] / scale, parameter.grad / scale, atol=2e-5, rtol=0
            )
    world.model.zero_grad()


def test_cut_turns_alone_give_no_loss_and_no_crash() -> None:
    world = tiny()
    samples = _rollouts()
    for sample in samples:
        sample.transcript.weights = [0.0] * len(sample.transcript)
    row = learn(world.model, samples, world.vocabulary, CONFIG)
    assert row["denominator"] == row["loss"] == 0.0
    assert learn(world.model, [], world.vocabulary, CONFIG)["denominator"] == 0.0


def test_cut_turns_are_masked_beside_others() -> None:
    """A rollout whose turn was cut changes neither the count of tokens nor the gradient."""
    world = tiny()
    samples = _rollouts()
    samples[4].transcript.weights = [0.0] * len(samples[4].transcript)
    found = []
    for some in (samples, samples[:4] + samples[5:]):
        world.model.zero_grad()
        row = learn(world.model, some, world.vocabulary, CONFIG)
        found.append((row, world.model.lm_head.weight.grad.clone()))
    world.model.zero_grad()
    assert found[0][0]["denominator"] == found[1][0]["denominator"]
    torch.testing.assert_close(found[0][1], found[1][1], atol=2e-4, rtol=1e-4)


PROBABILITIES = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=6)


@given(PROBABILITIES, st.randoms(use_true_random=False))
def test_the_divergence_is_the_kl_in_expectation_and_never_negative(
    weights: list[float], rng: Random
) -> None:
    policy = torch.tensor(weights, dtype=torch.float64)
    reference = torch.tensor([rng.uniform(0.01, 1.0) for _ in weights], dtype=torch.float64)
    policy, reference = policy / policy.sum(), reference / reference.sum()
    estimate = divergence(policy.log(), reference.log())
    assert (estimate >= 0).all()
    exact = torch.distributions.kl_divergence(Categorical(policy), Categorical(reference))
    torch.testing.assert_close((policy * estimate).sum(), exact, atol=1e-12, rtol=1e-9)
    assert divergence(policy.log(), policy.log()).abs().max() == 0


def test_the_entropy_term_has_the_gradient_of_the_entropy() -> None:
    world = tiny()
    [sample, *_] = _rollouts()
    sample = Sample(sample.transcript, 0.0)  # the surrogate adds nothing
    world.model.zero_grad()
    row = learn(world.model, [sample], world.vocabulary, RlConfig(entropy=0.5))
    ours = world.model.lm_head.weight.grad.clone()
    world.model.zero_grad()
    batch = collate([sample.transcript], world.vocabulary.pad, world.vocabulary.image)
    logits, _, _ = trained_logits(world.model, batch, world.vocabulary.banned)
    allowed = [n for n in range(logits.shape[1]) if n not in world.vocabulary.banned]
    entropy = Categorical(logits=logits[:, allowed]).entropy().sum()
    (-0.5 * entropy).backward()
    torch.testing.assert_close(ours, world.model.lm_head.weight.grad, atol=1e-4, rtol=1e-4)
    assert abs(row["entropy"] - entropy.item()) < 1e-3
    assert abs(row["loss"] + 0.5 * entropy.item()) < 1e-3
    world.model.zero_grad()


def test_a_divergence_without_a_reference_is_refused() -> None:
    world = tiny()
    with pytest.raises(ValueError, match="needs the warm start"):
        learn(world.model, [], world.vocabulary, RlConfig(kl=0.1))


def test_the_divergence_holds_the_policy_to_the_warm_start() -> None:
    """Zero, with no gradient, at the warm start; elsewhere its gradient points back."""
    world, away = tiny(), tiny(seed=7)
    samples = [Sample(sample.transcript, 0.0) for sample in _rollouts()[:2]]
    config = RlConfig(kl=1.0)
    world.model.zero_grad()
    row = learn(world.model, samples, world.vocabulary, config, reference=world.model)
    assert row["kl_warm_start"] == row["loss"] == 0
    assert world.model.lm_head.weight.grad.abs().max() == 0
    row = learn(world.model, samples, world.vocabulary, config, reference=away.model)
    weight = world.model.lm_head.weight
    step = 1e-3 * weight.grad / weight.grad.norm()
    kept = weight.detach().clone()
    with torch.no_grad():
        weight -= step
    nearer = learn(world.model, samples, world.vocabulary, config, reference=away.model)
    with torch.no_grad():
        weight.copy_(kept)
    world.model.zero_grad()
    assert 0 < nearer["kl_warm_start"] < row["kl_warm_start"]
    assert away.model.lm_head.weight.grad is None
