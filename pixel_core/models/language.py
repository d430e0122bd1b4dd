"""The language model over a batch, for training; generation has its ``decoder``.

Legend: k token (all rows of a batch, one after the other), d width of the model, n width of
a joined projection, c width of a head.

Tokens of all rows are one matrix, so that a layer is few, large products. Only attention
sees rows, a segment of them at a time; a row is padded to its segment's longest, which needs
no mask: attention is causal and padding comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.models.layer_gradients import Segment, Segments, attend, folded, gated

#: A segment's longest row is at most this many times its shortest: padding costs as much as
#: tokens do, another segment a few calls.
_SPREAD = 1.05


def segments_of(lengths: Sequence[int]) -> Segments:
    """Neighbouring rows of similar length together, padded to the longest of them."""
    found: list[Segment] = []
    rows = shortest = longest = 0
    for length in lengths:
        low, high = (min(shortest, length), max(longest, length)) if rows else (length, length)
        if rows and high > _SPREAD * low:
            found.append(Segment(rows, longest))
            rows, low, high = 0, length, length
        rows, shortest, longest = rows + 1, low, high
    if rows:
        found.append(Segment(rows, longest))
    return tuple(found)


def hidden_states(
    model: Any, embedded_kd: Tensor, positions_3k: Tensor, segments: Segments, wanted: Tensor
) -> Tensor:
    """Final hidden states, before the last norm, of the tokens that are ``wanted`` (their
    places among the k); gradients flow. The last layer goes on only with these, and
    segments that others go on from are taken to hold none of them."""
    text = model.model.language_model
    turn = turns(model, positions_3k)
    hidden = embedded_kd
    for number, layer in enumerate(text.layers):
        attention = layer.self_attn
        weight, bias, heads = joined(layer)
        eps = layer.input_layernorm.variance_epsilon
        last = number + 1 == len(text.layers)
        seen = _last(segments) if last else segments
        mixed = attend(hidden, weight, bias, turn, eps, heads, seen, causal=True)
        if last:
            hidden, mixed = hidden.index_select(0, wanted), mixed.index_select(0, wanted)
        hidden = rest(layer, torch.addmm(hidden, mixed, attention.o_proj.weight.t()))
    return hidden


def _last(segments: Segments) -> Segments:
    """As the last layer needs them: nothing is predicted from a prompt."""
    prompts = {segment.prompt for segment in segments}
    start, found = 0, []
    for segment in segments:
        stop = start + segment.rows * segment.length
        found.append(segment._replace(silent=(start, stop) in prompts))
        start = stop
    return tuple(found)


def joined(layer: Any) -> tuple[Tensor, Tensor | None, tuple[int, int]]:
    """Queries, keys and values as one projection of what comes before the layer's norm, for
    ``attend``: weight (n, d), bias (n), and the heads of queries and of keys."""
    attention = layer.self_attn
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    c = attention.head_dim
    weight = torch.cat((paired(q.weight, c), paired(k.weight, c), v.weight))
    bias = None
    if q.bias is not None:
        bias = torch.cat((paired(q.bias, c), paired(k.bias, c), v.bias))
    heads = q.weight.shape[0] // c, k.weight.shape[0] // c
    return folded(weight, layer.input_layernorm.weight), bias, heads


def rest(layer: Any, hidden_kd: Tensor) -> Tensor:
    """A layer after its attention."""
    eps = layer.post_attention_layernorm.variance_epsilon
    return gated(hidden_kd, joined_gate_up(layer), None, layer.mlp.down_proj.weight, None, eps)


def joined_gate_up(layer: Any) -> Tensor:
    """Gate and what it lets through as one projection of what comes before the norm."""
    both = torch.cat((layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight))
    return folded(both, layer.post_attention_layernorm.weight)


def logits_of(model: Any, hidden_kd: Tensor) -> Tensor:
    """(k, v), from hidden states before the last norm."""
    logits: Tensor = model.lm_head(rms_norm(model.model.language_model.norm, hidden_kd))
    return logits


def turns(model: Any, positions_3k: Tensor) -> Tensor:
    """What turns queries and keys at these positions: complex (k, 1, c / 2)."""
    text = model.model.language_model
    cos, sin = text.rotary_emb(text.norm.weight, positions_3k[:, None])
    half = cos.shape[-1] // 2
    return torch.complex(cos[0, :, :half], sin[0, :, :half])[:, None]


def paired(rows: Tensor, c: int) -> Tensor:
    """A projection's rows (or its bias) in another order within each head: the two numbers
    that are turned together next to one another, so that a turn is one complex product.
    What is asked and what is kept change alike, and attention does not see it."""
    return rows.unflatten(0, (-1, 2, c // 2)).transpose(1, 2).flatten(0, 2)


def rms_norm(norm: Any, x: Tensor) -> Tensor:
    """What the module ``norm`` makes of ``x``, in one call."""
    return F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)
