"""The clipped policy loss over sampled tokens.

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
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import trained_logits
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


def learn(model: Any, samples: list[Sample], vocabulary: Vocabulary, config: RlConfig) -> Row:
    """Backward on the summed token loss; ``denominator`` is the batch's trained tokens.

    Only rollouts of groups with an advantage come here, so the mean is over tokens that
    can carry a signal. ``kl_sampler``: mean of old - new log-probability, 0 on policy.
    """
    row: Row = {"denominator": 0.0, "loss": 0.0, "kl_sampler": 0.0, "entropy": 0.0}
    for group in by_length(samples, lambda sample: len(sample.transcript)):
        batch = collate([s.transcript for s in group], vocabulary.pad, vocabulary.image)
        logits, targets, chosen = trained_logits(
            model, batch, vocabulary.banned, config.sampling.temperature
        )
        if not len(targets):
            continue  # every turn was cut by the token limit
        distribution = logits.log_softmax(-1)
        new_k = distribution.gather(1, targets[:, None])[:, 0]
        old_k, advantage_k = _per_token(group, chosen)
        loss = clipped(new_k, old_k, advantage_k, config.clip_low, config.clip_high).sum()
        loss.backward()
        with torch.no_grad():
            row["denominator"] += len(targets)
            row["loss"] += float(loss)
            row["kl_sampler"] += float((old_k - new_k).sum())
            row["entropy"] += float(torch.special.entr(distribution.exp()).sum())
    return row


def _per_token(group: list[Sample], chosen_bt: Tensor) -> tuple[Tensor, Tensor]:
    """Sampled log-probabilities (k) and advantages (k), in the order of the logits."""
    old_bt = torch.zeros(chosen_bt.shape)
    advantage_bt = torch.zeros(chosen_bt.shape)
    for place, sample in enumerate(group):
        logprobs = sample.transcript.logprobs
        old_bt[place, : len(logprobs) - 1] = torch.tensor(logprobs[1:])
        advantage_bt[place] = sample.advantage
    return old_bt[chosen_bt], advantage_bt[chosen_bt]
