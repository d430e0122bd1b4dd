"""The two halves of a layer, with their gradients written out.

Autograd would keep and pass over every intermediate; of a small model's step that is most
of the time. Here a half is one node: few passes over memory beside its products.

Legend: k token (all rows of a batch, one after the other), d width of the model, n width
of a joined projection, h head (queries, then keys, then values), c width of a head.

Both halves take their input before its norm; the norm's weight is folded into the
projection (``folded``), so that here a norm only divides by the root mean square.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class Segment(NamedTuple):
    """Neighbouring rows of one length. ``prompt``: the tokens (first, behind the last) that
    all of them go on from, if they do; rows that attend to them come after them. ``silent``:
    rows that are attended to, but need not attend."""

    rows: int
    length: int
    prompt: tuple[int, int] | None = None
    silent: bool = False


Segments = tuple[Segment, ...]

_attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_attend_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def folded(weight_nd: Tensor, norm_d: Tensor) -> Tensor:
    """A projection's weight that takes what ``norm_d`` would have scaled."""
    return weight_nd * norm_d


def attend(
    hidden_kd: Tensor,
    weight_nd: Tensor,
    bias_n: Tensor | None,
    turn_k1c: Tensor,
    eps: float,
    heads: tuple[int, int],
    segments: Segments,
    causal: bool,
) -> Tensor:
    """What each token takes from its row's tokens (from those before it, if ``causal``),
    before the output's projection: (k, queries' heads * c).

    ``turn_k1c``: complex (k, 1, c / 2), by which queries and keys are turned; their numbers
    stand in pairs (``rotary.paired``). ``heads``: of queries and of keys; values have as
    many as keys.
    """
    mixed: Tensor = _Attend.apply(
        hidden_kd, weight_nd, bias_n, turn_k1c, eps, heads, segments, causal
    )
    return mixed


def gated(
    hidden_kd: Tensor,
    gate_up_nd: Tensor,
    gate_up_n: Tensor | None,
    down_df: Tensor,
    down_d: Tensor | None,
    eps: float,
) -> Tensor:
    """``hidden_kd`` and what the gated layer (SiLU) adds to it."""
    out: Tensor = _Gated.apply(hidden_kd, gate_up_nd, gate_up_n, down_df, down_d, eps)
    return out


def linear(x_kd: Tensor, weight_nd: Tensor, bias_n: Tensor | None) -> Tensor:
    if bias_n is None:
        return torch.mm(x_kd, weight_nd.t())
    return torch.addmm(bias_n, x_kd, weight_nd.t())


def _scaled(x_kd: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """``x_kd`` over its root mean square, and one over that (k, 1)."""
    inverse_k1 = (x_kd * x_kd).mean(-1, keepdim=True).add_(eps).rsqrt_()
    return x_kd * inverse_k1, inverse_k1


def _scaled_backward(grad_kd: Tensor, scaled_kd: Tensor, inverse_k1: Tensor) -> Tensor:
    """The gradient of what was scaled; ``grad_kd`` is used up."""
    mean_k1 = (grad_kd * scaled_kd).mean(-1, keepdim=True)
    return grad_kd.addcmul_(scaled_kd, mean_k1, value=-1).mul_(inverse_k1)


def _turn(turning_khc: Tensor, turn_k1c: Tensor) -> None:
    """In place."""
    torch.view_as_complex(turning_khc.unflatten(-1, (-1, 2))).mul_(turn_k1c)


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_kd: Tensor,
        weight_nd: Tensor,
        bias_n: Tensor | None,
        turn_k1c: Tensor,
        eps: float,
        heads: tuple[int, int],
        segments: Segments,
        causal: bool,
    ) -> Tensor:
        scaled_kd, inverse_k1 = _scaled(hidden_kd, eps)
        asked, kept = heads
        joined_khc = linear(scaled_kd, weight_nd, bias_n).unflatten(-1, (asked + 2 * kept, -1))
        _turn(joined_khc[:, : asked + kept], turn_k1c)
        mixed_khc = joined_khc.new_zeros(len(joined_khc), asked, joined_khc.shape[-1])
        outs = []
        for place, segment in _attending(segments):
            q, k, v, mask = _asked(joined_khc, place, segment, heads)
            out, log_sum = _attend(q, k, v, 0.0, causal and mask is None, attn_mask=mask)
            mixed_khc[place].view(*segment[:2], asked, -1).copy_(out.transpose(1, 2))
            outs += [out, log_sum]
        ctx.save_for_backward(
            scaled_kd, inverse_k1, weight_nd, bias_n, turn_k1c, joined_khc, *outs
        )
        ctx.heads, ctx.segments, ctx.causal = heads, segments, causal
        return mixed_khc.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        scaled_kd, inverse_k1, weight_nd, bias_n, turn_k1c, joined_khc, *outs = (
            ctx.saved_tensors
        )
        asked, kept = ctx.heads
        mixed_khc = grads[0].unflatten(-1, (asked, -1))
        grad_khc = torch.zeros_like(joined_khc)
        for number, (place, segment) in enumerate(_attending(ctx.segments)):
            q, k, v, mask = _asked(joined_khc, place, segment, ctx.heads)
            out, log_sum = outs[2 * number : 2 * number + 2]
            grad = mixed_khc[place].unflatten(0, segment[:2]).transpose(1, 2)
            causal = ctx.causal and mask is None
            parts = _attend_backward(grad, q, k, v, out, log_sum, 0.0, causal, attn_mask=mask)
            _give(parts, grad_khc, place, segment, ctx.heads)
        _turn(grad_khc[:, : asked + kept], turn_k1c.conj())
        grad_kn = grad_khc.flatten(1)
        needs = ctx.needs_input_grad
        weight = torch.mm(grad_kn.t(), scaled_kd) if needs[1] else None
        bias = grad_kn.sum(0) if bias_n is not None and needs[2] else None
        hidden = None
        if needs[0]:
            hidden = _scaled_backward(torch.mm(grad_kn, weight_nd), scaled_kd, inverse_k1)
        return hidden, weight, bias, None, None, None, None, None


class _Gated(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_kd: Tensor,
        gate_up_nd: Tensor,
        gate_up_n: Tensor | None,
        down_df: Tensor,
        down_d: Tensor | None,
        eps: float,
    ) -> Tensor:
        scaled_kd, inverse_k1 = _scaled(hidden_kd, eps)
        gate_up_kn = linear(scaled_kd, gate_up_nd, gate_up_n)
        gate_kf, up_kf = gate_up_kn.chunk(2, -1)
        opened_kf = torch.nn.functional.silu(gate_kf)
        inner_kf = opened_kf * up_kf
        out_kd = torch.addmm(hidden_kd, inner_kf, down_df.t())
        if down_d is not None:
            out_kd += down_d
        ctx.save_for_backward(
            scaled_kd, inverse_k1, gate_up_nd, gate_up_n, down_df, down_d,
            gate_up_kn, opened_kf, inner_kf,
        )  # fmt: skip
        return out_kd

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (
            scaled_kd, inverse_k1, gate_up_nd, gate_up_n, down_df, down_d,
            gate_up_kn, opened_kf, inner_kf,
        ) = ctx.saved_tensors  # fmt: skip
        (grad_kd,) = grads
        needs = ctx.needs_input_grad
        down = torch.mm(grad_kd.t(), inner_kf) if needs[3] else None
        down_bias = grad_kd.sum(0) if down_d is not None and needs[4] else None
        gate_kf, up_kf = gate_up_kn.chunk(2, -1)
        inner = torch.mm(grad_kd, down_df)
        joined = torch.empty_like(gate_up_kn)
        gate, up = joined.chunk(2, -1)
        torch.mul(inner, opened_kf, out=up)
        torch.ops.aten.silu_backward.grad_input(inner.mul_(up_kf), gate_kf, grad_input=gate)
        weight = torch.mm(joined.t(), scaled_kd) if needs[1] else None
        bias = joined.sum(0) if gate_up_n is not None and needs[2] else None
        hidden = None
        if needs[0]:
            scaled = torch.mm(joined, gate_up_nd)
            hidden = _scaled_backward(scaled, scaled_kd, inverse_k1).add_(grad_kd)
        return hidden, weight, bias, down, down_bias, None


def _attending(segments: Segments) -> list[tuple[slice, Segment]]:
    """The segments that attend, and where their tokens are."""
    places, start = [], 0
    for segment in segments:
        stop = start + segment.rows * segment.length
        if not segment.silent:
            places.append((slice(start, stop), segment))
        start = stop
    return places


def _asked(
    joined_khc: Tensor, place: slice, segment: Segment, heads: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Queries, keys and values (row, head, token, c), with as many heads each; keys and
    values of the prompt come first, and then a mask is needed."""
    asked, kept = heads
    own = joined_khc[place].unflatten(0, segment[:2]).transpose(1, 2)
    q, k, v = own.split([asked, kept, kept], 1)
    mask = None
    if segment.prompt is not None:
        first, stop = segment.prompt
        prompt = joined_khc[first:stop, asked:].transpose(0, 1)
        prompt = prompt.expand(segment.rows, *prompt.shape)
        k, v = (torch.cat(x, 2) for x in zip(prompt.split(kept, 1), (k, v), strict=True))
        mask = _mask(stop - first, segment.length, q.dtype)
    if asked != kept:
        k, v = (x.repeat_interleave(asked // kept, 1) for x in (k, v))
    return q, k, v, mask


def _give(
    parts: tuple[Tensor, Tensor, Tensor],
    grad_khc: Tensor,
    place: slice,
    segment: Segment,
    heads: tuple[int, int],
) -> None:
    """Add the gradients of a segment's queries, keys and values where they belong."""
    asked, kept = heads
    own = grad_khc[place].unflatten(0, segment[:2]).transpose(1, 2)
    own[:, :asked] += parts[0]
    length = 0 if segment.prompt is None else segment.prompt[1] - segment.prompt[0]
    for part, start in zip(parts[1:], (asked, asked + kept), strict=True):
        if asked != kept:
            part = part.unflatten(1, (kept, -1)).sum(2)
        own[:, start : start + kept] += part[:, :, length:]
        if segment.prompt is not None:
            prompt = grad_khc[slice(*segment.prompt), start : start + kept]
            prompt += part[:, :, :length].sum(0).transpose(0, 1)


@lru_cache(maxsize=256)
def _mask(prompt: int, length: int, dtype: torch.dtype) -> Tensor:
    """What is added to scores: a token sees the prompt and its row up to itself."""
    with torch.inference_mode(False):
        mask = torch.full((length, prompt + length), float("-inf"), dtype=dtype)
        return mask.triu(prompt + 1)
