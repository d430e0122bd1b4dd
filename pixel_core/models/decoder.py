"""The language model laid out for generation: few, large products and no bookkeeping.

Legend: n sequence, k packed new token (all sequences' new tokens, one after the other),
h head, s cached token, d width.

At the size of a tiny model a step is bound by the number of calls, so that projections
that read the same input are joined with one another and with the norm before them, and
positions are looked up. The numbers are those of ``language.hidden_states``, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.models.key_values import Kept, KeyValues
from pixel_core.models.language import joined, joined_gate_up, turns

#: Joined weights are copies; of models with more parameters no copy is made.
_COPIED_PARAMETERS = 50_000_000


@dataclass(frozen=True)
class _Layer:
    """A norm is its weight, None where the projections after it hold that, and its epsilon."""

    norm: tuple[Tensor | None, float]
    projections: list[tuple[Tensor, Tensor | None]]
    out: Tensor
    after_norm: tuple[Tensor | None, float]
    gate_up: list[tuple[Tensor, Tensor | None]]
    down: Tensor


class Decoder:
    """A snapshot of ``model``'s language model: make a new one when its weights change."""

    def __init__(self, model: Any) -> None:
        text = model.model.language_model
        config = model.config.text_config
        self.model = model
        self.heads: int = config.num_attention_heads
        self.cached_heads: int = config.num_key_value_heads
        self.width: int = config.hidden_size // config.num_attention_heads
        small = sum(p.numel() for p in text.parameters()) <= _COPIED_PARAMETERS
        # Their numbers are in pairs then, and there are complex ones of this kind only.
        self._joined = small and model.lm_head.weight.dtype == torch.float32
        kind = _joined_layer if self._joined else _plain_layer
        self._layers = [kind(layer) for layer in text.layers]
        self._norm = (text.norm.weight, text.norm.variance_epsilon)
        self._embedding = text.embed_tokens.weight
        self._head = model.lm_head.weight

    def cache(self, kept: Sequence[Kept | None], room: int) -> KeyValues:
        """A cache of these sequences with space for ``room`` tokens in each."""
        shape = (len(self._layers), self.cached_heads, self.width)
        return KeyValues.of(kept, room, self._head, shape)

    def turned(self, positions_3k: Tensor) -> Tensor:
        """What turns queries and keys at these positions, (k, 1, ...), for ``_rotate``:
        complex, or cosines and signed sines."""
        if self._joined:
            return turns(self.model, positions_3k)
        text = self.model.model.language_model
        cos, sin = text.rotary_emb(text.norm.weight, positions_3k[:, None])
        left, right = sin[0].chunk(2, -1)
        return torch.cat((cos[0], -left, right), -1)[:, None]

    def logits(self, hidden_nd: Tensor) -> Tensor:
        """(n, v), of the final hidden states."""
        return F.linear(hidden_nd, self._head)

    def embed(self, tokens_n: Tensor) -> Tensor:
        return F.embedding(tokens_n, self._embedding)

    def step(self, hidden_nd: Tensor, turned: Tensor, cache: KeyValues) -> Tensor:
        """One token a sequence; returns its final hidden state (n, d)."""
        lengths_n = cache.lengths_n
        count, used = len(lengths_n), int(lengths_n.max()) + 1
        place_kh = _places(cache, np.arange(count), lengths_n)
        seen = cache.stored.flatten(2, 3)[:, :, : count * self.cached_heads, :used]
        bias = self._bias(lengths_n + 1, used, hidden_nd)
        for layer, flat, (keys, values) in zip(
            self._layers, self._flat(cache), seen.unbind(), strict=True
        ):
            q = self._project(layer, hidden_nd, turned, flat, place_kh)
            mixed = self._attend_one(q, keys, values, bias)
            hidden_nd = self._mix(layer, hidden_nd, mixed)
        cache.lengths_n = lengths_n + 1
        return _normed(hidden_nd, self._norm)

    def extend(
        self, hidden_kd: Tensor, turned: Tensor, new_n: np.ndarray, cache: KeyValues
    ) -> Tensor:
        """``new_n`` tokens a sequence, packed; returns the final hidden state (n, d) of
        each sequence's last one."""
        old_n = cache.lengths_n
        count, longest, used = len(new_n), int(new_n.max()), int((old_n + new_n).max())
        row_k = np.repeat(np.arange(count), new_n)
        nth_k = np.concatenate([np.arange(new) for new in new_n])
        place_kh = _places(cache, row_k, old_n[row_k] + nth_k)
        reach_nt = old_n[:, None] + np.arange(longest)
        seen = torch.from_numpy(np.arange(used) <= reach_nt[..., None]).to(hidden_kd.device)
        packed = None if len(row_k) == count * longest else (row_k, nth_k)
        cached = cache.stored[:, :, :count, :, :used]
        flat = self._flat(cache)
        for layer, places, stored in zip(
            self._layers[:-1], flat[:-1], cached[:-1].unbind(), strict=True
        ):
            q = self._project(layer, hidden_kd, turned, places, place_kh)
            mixed = self._attend(q, stored, seen, packed)
            hidden_kd = self._mix(layer, hidden_kd, mixed)
        # Nobody reads what the last layer makes of the tokens before a sequence's last one;
        # only their keys and values.
        last_n = torch.from_numpy(np.cumsum(new_n) - 1).to(hidden_kd.device)
        q = self._project(self._layers[-1], hidden_kd, turned, flat[-1], place_kh)
        cache.lengths_n = old_n + new_n
        keys, values = cached[-1].flatten(1, 2)
        mixed = self._attend_one(q[last_n], keys, values, self._bias(cache.lengths_n, used, q))
        return _normed(self._mix(self._layers[-1], hidden_kd[last_n], mixed), self._norm)

    def _bias(self, lengths_n: np.ndarray, used: int, like: Tensor) -> Tensor:
        """-inf at what a sequence of this length has not, (n and head, 1, s)."""
        bias_ns = np.zeros((len(lengths_n), 1, used), np.float32)
        bias_ns[np.arange(used) >= lengths_n[:, None, None]] = -np.inf
        bias = torch.from_numpy(bias_ns).to(like)
        return bias.repeat_interleave(self.cached_heads, 0)

    def _flat(self, cache: KeyValues) -> tuple[Tensor, ...]:
        """Each layer's cache as rows of one head's width, to be written by ``_places``."""
        return cache.stored.view(len(self._layers), -1, self.width).unbind()

    def _project(
        self, layer: _Layer, hidden_kd: Tensor, turned: Tensor, flat: Tensor, place: Tensor
    ) -> Tensor:
        """Queries (k, h, d); keys and values are written to their places in the cache."""
        joined = _apply(layer.projections, _normed(hidden_kd, layer.norm))
        joined = joined.unflatten(-1, (-1, self.width))
        turning = joined[:, : self.heads + self.cached_heads]
        _rotate(turning, turned)
        new = joined[:, self.heads :].reshape(-1, self.width)
        flat.index_copy_(0, place, new)
        return joined[:, : self.heads]

    def _attend_one(self, q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """One query a sequence: as plain products, which beat the fused attention here.

        ``keys``, ``values``: (n and head, s, d).
        """
        count = len(q)
        q = q.reshape(count * self.cached_heads, -1, self.width)
        bias = bias.expand(-1, q.shape[1], -1)
        scores = torch.baddbmm(bias, q, keys.transpose(1, 2), alpha=self.width**-0.5)
        return torch.bmm(scores.softmax(-1), values).view(count, -1)

    def _attend(
        self,
        q_khd: Tensor,
        stored: Tensor,
        seen: Tensor,
        packed: tuple[np.ndarray, np.ndarray] | None,
    ) -> Tensor:
        count, longest = seen.shape[:2]
        if packed is None:
            q = q_khd.view(count, longest, self.heads, self.width)
        else:
            q = q_khd.new_zeros((count, longest, self.heads, self.width))
            q[packed] = q_khd
        mixed = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            stored[0],
            stored[1],
            attn_mask=seen[:, None],
            enable_gqa=self.heads != self.cached_heads,
        )
        mixed = mixed.transpose(1, 2).flatten(2)
        return mixed.flatten(0, 1) if packed is None else mixed[packed]

    def _mix(self, layer: _Layer, hidden_kd: Tensor, mixed_kd: Tensor) -> Tensor:
        """The rest of a layer, after its attention."""
        hidden_kd = torch.addmm(hidden_kd, mixed_kd, layer.out.T)
        gate, up = _apply(layer.gate_up, _normed(hidden_kd, layer.after_norm)).chunk(2, -1)
        return torch.addmm(hidden_kd, F.silu(gate).mul_(up), layer.down.T)


def _joined_layer(layer: Any) -> _Layer:
    weight, bias, _ = joined(layer)
    return _Layer(
        norm=(None, layer.input_layernorm.variance_epsilon),
        projections=[(weight, bias)],
        out=layer.self_attn.o_proj.weight,
        after_norm=(None, layer.post_attention_layernorm.variance_epsilon),
        gate_up=[(joined_gate_up(layer), None)],
        down=layer.mlp.down_proj.weight,
    )


def _plain_layer(layer: Any) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    before, after = layer.input_layernorm, layer.post_attention_layernorm
    asked = (attention.q_proj, attention.k_proj, attention.v_proj)
    return _Layer(
        norm=(before.weight, before.variance_epsilon),
        projections=[(linear.weight, linear.bias) for linear in asked],
        out=attention.o_proj.weight,
        after_norm=(after.weight, after.variance_epsilon),
        gate_up=[(linear.weight, linear.bias) for linear in (mlp.gate_proj, mlp.up_proj)],
        down=mlp.down_proj.weight,
    )


def _apply(pairs: list[tuple[Tensor, Tensor | None]], x: Tensor) -> Tensor:
    if len(pairs) == 1:
        return F.linear(x, *pairs[0])
    return torch.cat([F.linear(x, weight, bias) for weight, bias in pairs], -1)


def _normed(x: Tensor, norm: tuple[Tensor | None, float]) -> Tensor:
    return torch.rms_norm(x, x.shape[-1:], *norm)


def _rotate(x: Tensor, turned: Tensor) -> None:
    """In place: a complex product; or x cos + (-right, left) sin, the sign in the sines."""
    if turned.is_complex():
        torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(turned)
        return
    cos, sin = turned.chunk(2, -1)
    torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin, out=x)


def _places(cache: KeyValues, row_k: np.ndarray, at_k: np.ndarray) -> Tensor:
    """Where keys, then values of each new token go, a head each, in a layer's flat cache."""
    _, _, slots, heads, room, _ = cache.stored.shape
    head = np.arange(heads) * room
    both = np.concatenate((head, head + slots * heads * room))
    flat = (row_k * heads * room + at_k)[:, None] + both
    return torch.from_numpy(flat.ravel()).to(cache.stored.device)
