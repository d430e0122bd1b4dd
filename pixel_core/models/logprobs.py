"""Log-probabilities of a batch's trained tokens: the one forward that SFT and RL share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixel_core.models.batch import Batch, embed
from pixel_core.models.language import hidden_states, logits_of, segments_of
from pixel_core.models.layer_gradients import Segments


def forbid(logits: Tensor, banned: tuple[int, ...]) -> Tensor:
    """Logits with the banned tokens out of the distribution."""
    return logits.masked_fill(_mask(logits.shape[-1], banned, logits.device), float("-inf"))


@lru_cache(maxsize=8)
def _mask(size: int, banned: tuple[int, ...], device: torch.device) -> Tensor:
    # A plain tensor, whichever caller comes first: one made for generation could not be trained
    # with.
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
    their places as a mask (b, t - 1) over targets; rows first, then time.

    Quickest for rows in the order of their lengths.
    """
    chosen_bt = batch.weights_bt[:, 1:] > 0
    # A row's last token predicts nothing.
    segments = segments_of([max(1, length - 1) for length in batch.lengths])
    place = torch.from_numpy(_places(segments, batch.tokens_bt.shape[1]))
    wanted = torch.nn.functional.pad(chosen_bt, (0, 1)).flatten()[place].nonzero()[:, 0]
    tokens, source = batch.tokens_bt.flatten()[place], batch.source_bt.flatten()[place]
    embedded = embed(model, tokens, source, batch.groups)
    positions_3k = batch.positions_3bt.flatten(1)[:, place]
    hidden = hidden_states(model, embedded, positions_3k, segments, wanted)
    logits_kv = logits_of(model, hidden)
    if temperature > 0:
        logits_kv = logits_kv / temperature
    return forbid(logits_kv, banned), batch.tokens_bt[:, 1:][chosen_bt], chosen_bt


def _places(segments: Segments, width: int) -> np.ndarray:
    """Where the segments' tokens are in a batch of that width, flat."""
    parts, first = [], 0
    for rows, length, *_ in segments:
        start_r1 = (np.arange(first, first + rows) * width)[:, None]
        parts.append((start_r1 + np.arange(length)).ravel())
        first += rows
    return np.concatenate(parts)
