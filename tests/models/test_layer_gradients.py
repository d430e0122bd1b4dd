"""A layer's halves: the numbers and the gradients that autograd gives the plain formulas."""

from __future__ import annotations

import pytest
import torch
from tiny_world import tiny
from torch import Tensor
from torch.nn import functional as F

from pixel_core.config import SamplingConfig
from pixel_core.models import decoder
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.layer_gradients import Segment, Segments, attend, gated
from pixel_core.rollout.transcript import Transcript

EPS = 1e-6
C = 8
WIDTH = 24
SEGMENTS: dict[str, Segments] = {
    "one row": (Segment(1, 5),),
    "rows of two lengths": (Segment(3, 4), Segment(2, 7)),
    "rows with prompts": (
        Segment(1, 3),
        Segment(1, 5),
        Segment(2, 4, (0, 3)),
        Segment(1, 1, (3, 8)),
        Segment(2, 6, (3, 8)),
    ),
}


def plain_attention(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    turn: Tensor,
    heads: tuple[int, int],
    segments: Segments,
    causal: bool,
) -> Tensor:
    """Row by row, each with its prompt before it."""
    asked, kept = heads
    joined = F.linear(F.rms_norm(hidden, (WIDTH,), None, EPS), weight, bias)
    joined = joined.unflatten(-1, (asked + 2 * kept, C))
    pairs = torch.view_as_complex(joined[:, : asked + kept].unflatten(-1, (-1, 2)).contiguous())
    turned = torch.view_as_real(pairs * turn).flatten(-2)
    q, k, v = turned[:, :asked], turned[:, asked:], joined[:, asked + kept :]
    out, start = [], 0
    for segment in segments:
        for _ in range(segment.rows):
            own = list(range(start, start + segment.length))
            start += segment.length
            seen = [*range(*(segment.prompt or (0, 0))), *own]
            sees = torch.ones(len(own), len(seen), dtype=torch.bool)
            if causal:
                sees = sees.tril(len(seen) - len(own))
            mixed = F.scaled_dot_product_attention(
                q[own].transpose(0, 1)[None],
                k[seen].transpose(0, 1)[None],
                v[seen].transpose(0, 1)[None],
                attn_mask=sees,
                enable_gqa=True,
            )
            out.append(mixed[0].transpose(0, 1).flatten(1))
    return torch.cat(out)


def assert_alike(ours: Tensor, theirs: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    into = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    mine = torch.autograd.grad((ours * into).sum(), inputs)
    expected = torch.autograd.grad((theirs * into).sum(), inputs)
    for one, other in zip(mine, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", list(SEGMENTS))
@pytest.mark.parametrize("heads", [(2, 2), (4, 2), (3, 1)])
def test_attention(name: str, heads: tuple[int, int]) -> None:
    segments = SEGMENTS[name]
    tokens = sum(segment.rows * segment.length for segment in segments)
    random = torch.Generator().manual_seed(0)
    rows = (heads[0] + 2 * heads[1]) * C
    shapes = ((tokens, WIDTH), (rows, WIDTH), (rows,))
    inputs = [torch.randn(shape, generator=random).requires_grad_() for shape in shapes]
    angle = torch.rand((tokens, 1, C // 2), generator=random) * 6
    turn = torch.polar(torch.ones_like(angle), angle)
    for causal in (True, False):
        if not causal and any(segment.prompt for segment in segments):
            continue  # only rows of text go on from prompts
        assert_alike(
            attend(*inputs, turn, EPS, heads, segments, causal),
            plain_attention(*inputs, turn, heads, segments, causal),
            inputs,
        )


@pytest.mark.parametrize("biased", [True, False])
def test_the_gated_layer(biased: bool) -> None:
    random = torch.Generator().manual_seed(0)
    shapes = ((7, WIDTH), (20, WIDTH), (20,), (WIDTH, 10), (WIDTH,))
    x, up, up_bias, down, down_bias = inputs = [
        torch.randn(shape, generator=random).requires_grad_() for shape in shapes
    ]
    if not biased:
        inputs = [x, up, down]
    biases = (up_bias, down_bias) if biased else (None, None)
    gate, passed = F.linear(F.rms_norm(x, (WIDTH,), None, EPS), up, biases[0]).chunk(2, -1)
    theirs = x + F.linear(F.silu(gate) * passed, down, biases[1])
    assert_alike(gated(x, up, biases[0], down, biases[1], EPS), theirs, inputs)


def test_what_needs_no_gradient_gets_none() -> None:
    """A frozen part of the model costs no products."""
    x, up, down = torch.randn(3, WIDTH), torch.randn(8, WIDTH), torch.randn(WIDTH, 4)
    down.requires_grad_()
    gated(x, up, None, down, None, EPS).sum().backward()
    assert down.grad is not None
    assert x.grad is None
    assert up.grad is None


def test_a_large_models_decoder_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its projections are not joined, and its numbers are turned in another order."""
    world = tiny()
    transcript = Transcript()
    transcript.append(world.vocabulary.encode_plain("zoom in on the middle"))
    said = []
    for most in (10**9, 0):
        monkeypatch.setattr(decoder, "_COPIED_PARAMETERS", most)
        engine = EmbeddedEngine(world.model, world.vocabulary)
        (turn,) = engine.generate([transcript.fork()], SamplingConfig(temperature=0.0), 12)
        said.append(turn)
    assert said[0].tokens == said[1].tokens
    assert said[0].logprobs == pytest.approx(said[1].logprobs, abs=1e-5)
