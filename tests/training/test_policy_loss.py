"""The clipped loss and its batch: against a plain autograd version of the paper's words."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_world import opening, tiny

from pixel_core.config import RlConfig, SamplingConfig
from pixel_core.dialogue.episode import run_episodes
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import trained_logits
from pixel_core.training.policy_loss import Sample, clipped, learn

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
