"""The language model over a batch, for training and for incremental generation.

Legend: b row, t new token, s cached token, h head, d width.

Right-padded rows need no mask to be trained: attention is causal and padding comes last.
For generation each row keeps its own keys and values without holes (``KeyValues``), so
rows of unequal length go on side by side and after a tool's return.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Cosines and sines (b, 1, t, width of a head).
Rotary = tuple[Tensor, Tensor]


class KeyValues:
    """Cached keys and values: per layer (2, b, h, s, d); ``lengths_b`` are in use."""

    def __init__(self, layers: list[Tensor], lengths_b: Tensor) -> None:
        self.layers = layers
        self.lengths_b = lengths_b

    @classmethod
    def empty(cls, model: Any, rows: int, room: int) -> KeyValues:
        config = model.config.text_config
        heads = config.num_key_value_heads
        width = config.hidden_size // config.num_attention_heads
        weight = model.lm_head.weight
        layers = [
            weight.new_zeros((2, rows, heads, room, width))
            for _ in range(config.num_hidden_layers)
        ]
        return cls(layers, torch.zeros(rows, dtype=torch.long, device=weight.device))

    @property
    def room(self) -> int:
        return self.layers[0].shape[3]

    def select(self, rows_b: Tensor, room: int) -> KeyValues:
        """The given rows (repeats allowed) with space for ``room`` tokens in all."""
        used = int(self.lengths_b[rows_b].max())
        layers = []
        for layer in self.layers:
            kept = layer[:, rows_b, :, :used]
            layers.append(F.pad(kept, (0, 0, 0, room - used)))
        return KeyValues(layers, self.lengths_b[rows_b])

    def take_back(self, rows_b: Tensor, part: KeyValues, since: int) -> None:
        """Copy what ``part``, the selection of these rows, has from token ``since`` on."""
        used = int(part.lengths_b.max())
        for layer, newer in zip(self.layers, part.layers, strict=True):
            layer[:, rows_b, :, since:used] = newer[:, :, :, since:used]
        self.lengths_b[rows_b] = part.lengths_b


def hidden_states(model: Any, embedded_btd: Tensor, positions_3bt: Tensor) -> Tensor:
    """Final hidden states (b, t, d) of right-padded rows; gradients flow."""
    text = model.model.language_model
    cos, sin = rotary_of(model, positions_3bt)
    hidden = embedded_btd
    for layer in text.layers:
        attention = layer.self_attn
        q, k, v = _project(attention, _norm(layer.input_layernorm, hidden))
        mixed = F.scaled_dot_product_attention(
            _rotate(q, cos, sin),
            _rotate(k, cos, sin),
            v,
            is_causal=True,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        hidden = hidden + attention.o_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(_norm(layer.post_attention_layernorm, hidden))
    return _norm(text.norm, hidden)


@torch.no_grad()
def extend(
    model: Any, embedded_btd: Tensor, rotary: Rotary, new_b: Tensor, cache: KeyValues
) -> Tensor:
    """Add ``new_b`` tokens a row (right-padded to t) to the cache.

    Returns the hidden state (b, d) of each row's last new token.
    """
    text = model.model.language_model
    rows, width = embedded_btd.shape[:2]
    cos, sin = rotary
    old_b = cache.lengths_b
    # Where a long row gets little while another gets much, its padding would pass the
    # cache's end; the last place is kept for the final token, which overwrites it.
    place_bt = old_b[:, None] + torch.arange(width, device=old_b.device)
    place_bt = place_bt.clamp(max=cache.room - 1)
    used = min(int(old_b.max()) + width, cache.room)
    row_b1 = torch.arange(rows, device=old_b.device)[:, None]
    seen_bts = torch.arange(used, device=old_b.device) <= place_bt[..., None]
    hidden = embedded_btd
    for layer, stored in zip(text.layers, cache.layers, strict=True):
        attention = layer.self_attn
        q, k, v = _project(attention, _norm(layer.input_layernorm, hidden))
        # Padding is written too, past the row's end: never seen, and overwritten next.
        stored[0, row_b1, :, place_bt] = _rotate(k, cos, sin).transpose(1, 2)
        stored[1, row_b1, :, place_bt] = v.transpose(1, 2)
        mixed = F.scaled_dot_product_attention(
            _rotate(q, cos, sin),
            stored[0, :, :, :used],
            stored[1, :, :, :used],
            attn_mask=seen_bts[:, None],
            enable_gqa=q.shape[1] != k.shape[1],
        )
        hidden = hidden + attention.o_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(_norm(layer.post_attention_layernorm, hidden))
    cache.lengths_b = old_b + new_b
    last_bd = hidden[torch.arange(rows, device=old_b.device), new_b - 1]
    return _norm(text.norm, last_bd)


def rotary_of(model: Any, positions_3bt: Tensor) -> Rotary:
    """What turns queries and keys at these positions."""
    text = model.model.language_model
    cos_btd, sin_btd = text.rotary_emb(text.norm.weight, positions_3bt)
    return cos_btd[:, None], sin_btd[:, None]


def _project(attention: Any, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)

    return (
        heads(attention.q_proj(hidden)),
        heads(attention.k_proj(hidden)),
        heads(attention.v_proj(hidden)),
    )


def _norm(norm: Any, x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin
