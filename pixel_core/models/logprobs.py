"""Log-probabilities of a batch's trained tokens: the one forward that SFT and RL share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from pixel_core.models.batch import Batch, embed
from pixel_core.models.language import hidden_states


def forbid(logits: Tensor, banned: tuple[int, ...]) -> Tensor:
    """Logits with the banned tokens out of the distribution."""
    return logits.masked_fill(_mask(logits.shape[-1], banned, logits.device), float("-inf"))


@lru_cache(maxsize=8)
def _mask(size: int, banned: tuple[int, ...], device: torch.device) -> Tensor:
    # A plain tensor, whoever asks first: one made for generation could not be trained with.
    with torch.inference_mode(False):
        mask = torch.zeros(size, dtype=torch.bool, device=device)
        mask[list(banned)] = True
        return mask


def logprobs_of(logits_kv: Tensor, tokens_k: Tensor) -> Tensor:
    """Log-probabilities (k) of the given tokens."""
    return logits_kv.log_softmax(-1).gather(1, tokens_k[:, None])[:, 0]


def trained_logits(
    model: Any, batch: Batch, banned: tuple[int, ...], temperature: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (k, v) that predict the k tokens of weight above 0, those tokens (k), and
    their places as a mask (b, t - 1) over targets; rows first, then time."""
    embedded = embed(model, batch.tokens_bt, batch.source_bt, batch.groups)
    hidden_btd = hidden_states(model, embedded, batch.positions_3bt)
    chosen_bt = batch.weights_bt[:, 1:] > 0
    logits_kv = model.lm_head(hidden_btd[:, :-1][chosen_bt])
    if temperature > 0:
        logits_kv = logits_kv / temperature
    return forbid(logits_kv, banned), batch.tokens_bt[:, 1:][chosen_bt], chosen_bt
