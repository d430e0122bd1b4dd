"""The clipped policy loss over sampled tokens.

A token's loss is PPO's clipped surrogate, plus ``kl`` times its divergence from the warm
start, less ``entropy`` times the entropy of its distribution. The batch's loss is the mean
over all its trained tokens, whichever rollout, micro-batch, shard or worker has them: the sum
is taken here, and the loop divides by the true count. Turns that the token limit cut have
weight 0: they are masked, and counted as ``truncated``.

Legend: b rollout, t target token, k trained tokens of a micro-batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixel_core.config import RlConfig
from pixel_core.dialogue.transcript import Transcript
from pixel_core.dialogue.vocabulary import Vocabulary
from pixel_core.models.batch import Batch, collate
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.training.loop import Row
from pixel_core.training.microbatch import by_length


@dataclass(frozen=True)
class Sample:
    """A rollout's tokens and its advantage, the same for all of them."""

    transcript: Transcript
    advantage: float


def clipped(
    new_k: Tensor, old_k: Tensor, advantage_k: Tensor, low: float, high: float
) -> Tensor:
    """PPO's pessimistic surrogate as a loss a token: -min(r A, clip(r, 1-low, 1+high) A)."""
    ratio_k = torch.exp(new_k - old_k)
    bounded_k = ratio_k.clamp(1.0 - low, 1.0 + high)
    return -torch.minimum(ratio_k * advantage_k, bounded_k * advantage_k)


def divergence(new_k: Tensor, reference_k: Tensor) -> Tensor:
    """Schulman's k3 estimate a token of KL(policy || reference), from log-probabilities of
    tokens the policy sampled: ref/new - 1 - log(ref/new); never negative, 0 where equal."""
    difference_k = reference_k - new_k
    return torch.expm1(difference_k) - difference_k


def learn(
    model: Any,
    samples: list[Sample],
    vocabulary: Vocabulary,
    config: RlConfig,
    *,
    replayed: list[Sample] | None = None,
    reference: Any = None,
) -> Row:
    """Backward on the summed token loss; ``denominator`` is the batch's trained tokens.

    ``samples``: this step's rollouts. Only those of groups with an advantage come here, so
    the mean (and the divergence) is over tokens that can carry a signal. ``replayed``:
    earlier ones, with the log-probabilities of their own time. ``reference``: the warm start,
    frozen; needed when ``config.kl`` is above 0.

    ``kl_sampler``: mean of old - new log-probability over fresh tokens, 0 on policy.
    ``kl_warm_start``: mean k3 divergence. ``clipped_replay``: the share of the replayed
    samples' tokens whose ratio is outside the clip's bounds. Raises ``ValueError`` when a
    reference is needed and missing.
    """
    if config.kl and reference is None:
        raise ValueError(f"kl {config.kl} needs the warm start as a reference: give it")
    row: Row = {"denominator": 0.0, "loss": 0.0, "entropy": 0.0}
    row |= {"kl_sampler": 0.0, "kl_sampler/n": 0.0}
    if config.kl:
        row["kl_warm_start"] = 0.0
    if config.replay.capacity:
        row |= {"clipped_replay": 0.0, "clipped_replay/n": 0.0}
    items = [(sample, False) for sample in samples]
    items += [(sample, True) for sample in replayed or ()]
    for group in by_length(items, lambda item: len(item[0].transcript)):
        batch = collate(
            [sample.transcript for sample, _ in group], vocabulary.pad, vocabulary.image
        )
        logits, targets, chosen = trained_logits(
            model, batch, vocabulary.banned, config.sampling.temperature
        )
        if not len(targets):
            continue  # every turn was cut by the token limit
        distribution = logits.log_softmax(-1)
        new_k = distribution.gather(1, targets[:, None])[:, 0]
        old_k, advantage_k = _per_token([sample for sample, _ in group], chosen)
        losses_k = clipped(new_k, old_k, advantage_k, config.clip_low, config.clip_high)
        if config.kl:
            reference_k = _reference_logprobs(reference, batch, vocabulary, config)
            divergence_k = divergence(new_k, reference_k)
            losses_k = losses_k + config.kl * divergence_k
            row["kl_warm_start"] += float(divergence_k.detach().sum())
        if config.entropy:
            losses_k = losses_k - config.entropy * _entropy(distribution)
        loss = losses_k.sum()
        loss.backward()
        with torch.no_grad():
            row["denominator"] += len(targets)
            row["loss"] += float(loss)
            row["entropy"] += float(torch.special.entr(distribution.exp()).sum())
            drift_k = old_k - new_k
            old_b = torch.tensor([is_old for _, is_old in group])
            replayed_k = old_b[:, None].expand(chosen.shape)[chosen]
            row["kl_sampler"] += float(drift_k[~replayed_k].sum())
            row["kl_sampler/n"] += float((~replayed_k).sum())
            if config.replay.capacity:
                ratio_k = torch.exp(-drift_k[replayed_k])
                outside_k = (ratio_k < 1 - config.clip_low) | (ratio_k > 1 + config.clip_high)
                row["clipped_replay"] += float(outside_k.sum())
                row["clipped_replay/n"] += float(replayed_k.sum())
    return row


@torch.no_grad()
def _reference_logprobs(
    reference: Any, batch: Batch, vocabulary: Vocabulary, config: RlConfig
) -> Tensor:
    logits, targets, _ = trained_logits(
        reference, batch, vocabulary.banned, config.sampling.temperature
    )
    return logprobs_of(logits, targets)


def _entropy(logprobs_kv: Tensor) -> Tensor:
    """Entropy (k) in nats. Banned tokens (-inf) add nothing, to the gradient neither."""
    finite_kv = logprobs_kv.masked_fill(logprobs_kv.isinf(), 0.0)
    return -(logprobs_kv.exp() * finite_kv).sum(-1)


def _per_token(group: list[Sample], chosen_bt: Tensor) -> tuple[Tensor, Tensor]:
    """Sampled log-probabilities (k) and advantages (k), in the order of the logits."""
    old_bt = torch.zeros(chosen_bt.shape)
    advantage_bt = torch.zeros(chosen_bt.shape)
    for place, sample in enumerate(group):
        logprobs = sample.transcript.logprobs
        old_bt[place, : len(logprobs) - 1] = torch.tensor(logprobs[1:])
        advantage_bt[place] = sample.advantage
    return old_bt[chosen_bt], advantage_bt[chosen_bt]
