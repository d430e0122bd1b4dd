"""The clipped policy loss over sampled tokens.

A token's loss is PPO's clipped surrogate, plus ``kl`` times its divergence from the warm
start, less ``entropy`` times the entropy of its distribution. The batch's loss is the mean
over all its trained tokens, whichever rollout, pass, shard or worker has them: the sum
is taken here, and the loop divides by the true count. Turns that the token limit cut have
weight 0: they are masked, and counted as ``truncated``.

Legend: b rollout, k trained tokens of a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixel_core.config import RlConfig
from pixel_core.models.logprobs import logprobs_of
from pixel_core.models.shared_prompt import (
    collate_families,
    family_logits,
    prompt_key,
    prompt_length,
)
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.loop import Row

#: Tokens whose activations are held together for one pass, more only for one family's.
_TOKENS = 4096


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
    items = [_Item(sample, False) for sample in samples]
    items += [_Item(sample, True) for sample in replayed or ()]
    for families in _chunks(items, vocabulary.image):
        _pass(model, reference, families, vocabulary, config, row)
    return row


@dataclass(frozen=True)
class _Item:
    sample: Sample
    replayed: bool


#: Rollouts that share a prompt.
_Family = list[_Item]


def _chunks(items: list[_Item], image: int) -> Iterator[list[_Family]]:
    """Families together, about ``_TOKENS`` tokens at a time. Rollouts whose every turn was
    cut have nothing to learn from, and are left out."""
    families: dict[Any, _Family] = {}
    for item in items:
        if any(weight > 0 for weight in item.sample.transcript.weights[1:]):
            key = prompt_key(item.sample.transcript, image)
            families.setdefault(key, []).append(item)
    chunk: list[_Family] = []
    held = 0
    for family in families.values():
        prompt = prompt_length(family[0].sample.transcript)
        tokens = prompt + sum(len(item.sample.transcript) - prompt for item in family)
        if chunk and held + tokens > _TOKENS:
            yield chunk
            chunk, held = [], 0
        chunk.append(family)
        held += tokens
    if chunk:
        yield chunk


def _pass(
    model: Any,
    reference: Any,
    families: list[_Family],
    vocabulary: Vocabulary,
    config: RlConfig,
    row: Row,
) -> None:
    """Forward and backward over a chunk's rollouts; its sums are added to ``row``."""
    collated = collate_families(
        [[item.sample.transcript for item in family] for family in families],
        vocabulary.pad,
        vocabulary.image,
    )
    items = [families[number][place] for number, place in collated.order]
    banned, temperature = vocabulary.banned, config.sampling.temperature
    targets = collated.targets
    distribution = family_logits(model, collated, banned, temperature).log_softmax(-1)
    new_k = distribution.gather(1, targets[:, None])[:, 0]
    old_k, advantage_k, replayed_k = _per_token(items)
    losses_k = clipped(new_k, old_k, advantage_k, config.clip_low, config.clip_high)
    if config.kl:
        with torch.no_grad():
            reference_logits = family_logits(reference, collated, banned, temperature)
            reference_k = logprobs_of(reference_logits, targets)
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
        row["kl_sampler"] += float(drift_k[~replayed_k].sum())
        row["kl_sampler/n"] += float((~replayed_k).sum())
        if config.replay.capacity:
            ratio_k = torch.exp(-drift_k[replayed_k])
            outside_k = (ratio_k < 1 - config.clip_low) | (ratio_k > 1 + config.clip_high)
            row["clipped_replay"] += float(outside_k.sum())
            row["clipped_replay/n"] += float(replayed_k.sum())


def _entropy(logprobs_kv: Tensor) -> Tensor:
    """Entropy (k) in nats. Banned tokens (-inf) add nothing, to the gradient neither."""
    finite_kv = logprobs_kv.masked_fill(logprobs_kv.isinf(), 0.0)
    return -(logprobs_kv.exp() * finite_kv).sum(-1)


def _per_token(items: list[_Item]) -> tuple[Tensor, Tensor, Tensor]:
    """Sampled log-probabilities, advantages, and whether a token is of a replayed rollout,
    (k) each, in the order of the logits."""
    old: list[float] = []
    counts: list[int] = []
    for item in items:
        transcript = item.sample.transcript
        pairs = list(zip(transcript.logprobs, transcript.weights, strict=True))[1:]
        trained = [logprob for logprob, weight in pairs if weight > 0]
        old += trained
        counts.append(len(trained))
    counts_b = torch.tensor(counts)
    advantage_b = torch.tensor([item.sample.advantage for item in items])
    replayed_b = torch.tensor([item.replayed for item in items])
    return (
        torch.tensor(old),
        advantage_b.repeat_interleave(counts_b),
        replayed_b.repeat_interleave(counts_b),
    )
