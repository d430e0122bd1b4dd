"""The language model over a batch, for training; generation has its ``decoder``.

Legend: b row, t token, h head, d width.

Right-padded rows need no mask to be trained: attention is causal and padding comes last.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Cosines and sines (b, 1, t, width of a head).
Rotary = tuple[Tensor, Tensor]


def hidden_states(model: Any, embedded_btd: Tensor, positions_3bt: Tensor) -> Tensor:
    """Final hidden states (b, t, d) of right-padded rows; gradients flow."""
    text = model.model.language_model
    cos, sin = rotary_of(model, positions_3bt)
    hidden = embedded_btd
    for layer in text.layers:
        attention = layer.self_attn
        q, k, v = project(attention, rms_norm(layer.input_layernorm, hidden))
        mixed = F.scaled_dot_product_attention(
            rotate(q, cos, sin),
            rotate(k, cos, sin),
            v,
            is_causal=True,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        hidden = hidden + attention.o_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(rms_norm(layer.post_attention_layernorm, hidden))
    return rms_norm(text.norm, hidden)


def rotary_of(model: Any, positions_3bt: Tensor) -> Rotary:
    """What turns queries and keys at these positions."""
    text = model.model.language_model
    cos_btd, sin_btd = text.rotary_emb(text.norm.weight, positions_3bt)
    return cos_btd[:, None], sin_btd[:, None]


def project(attention: Any, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (b, h, t, d), not yet turned."""

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)

    return (
        heads(attention.q_proj(hidden)),
        heads(attention.k_proj(hidden)),
        heads(attention.v_proj(hidden)),
    )


def rms_norm(norm: Any, x: Tensor) -> Tensor:
    """What the module ``norm`` makes of ``x``, in one call."""
    return F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Queries or keys turned to their positions."""
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin
