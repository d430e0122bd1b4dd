"""Muon: what the iteration computes, and that its work can be shared without a trace."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import _muon

from pixel_core.training.muon import Muon, orthogonalised

SHAPES = [(24, 8), (8, 24), (16, 16), (40, 12), (3, 3), (1, 7)]


def matrices(seed: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return [torch.randn(shape) for shape in SHAPES]


def group_of() -> dict:
    return Muon([torch.zeros(2, 2)], lr=0.1, weight_decay=0.0).param_groups[0]


@given(seed=st.integers(0, 2**32), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_float32_is_enough_for_the_iteration(seed: int, scale: float) -> None:
    """The same polynomial of the singular values, taken one by one in float64."""
    group = group_of()
    a, b, c = group["ns_coefficients"]
    for matrix in matrices(seed):
        ours = orthogonalised(matrix * scale, group)
        assert ours.dtype == torch.float32
        left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        values = values / values.norm()
        for _ in range(group["ns_steps"]):
            values = values * (a + b * values**2 + c * values**4)
        exact = left @ torch.diag(values) @ right
        assert torch.allclose(ours.double(), exact, atol=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_the_iteration_is_torchs_but_for_its_rounding(seed: int) -> None:
    group = group_of()
    for matrix in matrices(seed):
        theirs = _muon._zeropower_via_newtonschulz(
            matrix, group["ns_coefficients"], group["ns_steps"], group["eps"]
        ).float()
        difference = orthogonalised(matrix, group) - theirs
        assert difference.norm() < 0.1 * theirs.norm()  # bfloat16 has 8 bits


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert not orthogonalised(torch.zeros(4, 6), group_of()).any()


def trained(optimizer_of, steps: int = 5) -> list[torch.Tensor]:
    """Weights after some steps with gradients that depend on the step alone."""
    weights = [torch.nn.Parameter(matrix) for matrix in matrices(0)]
    optimizer = optimizer_of(weights)
    for step in range(steps):
        for weight, gradient in zip(weights, matrices(step + 1), strict=True):
            weight.grad = gradient
        optimizer.step()
    return [weight.detach() for weight in weights]


def test_steps_are_torchs_but_for_their_rounding() -> None:
    ours = trained(lambda weights: Muon(weights, lr=0.02, weight_decay=0.1))
    theirs = trained(lambda weights: torch.optim.Muon(weights, lr=0.02, weight_decay=0.1))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=0.02)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_workers_that_share_the_work_make_the_bits_of_one(size: int) -> None:
    """The parts that all workers put into the sum, added up: each matrix is computed once."""
    weights = [torch.nn.Parameter(matrix) for matrix in matrices(0)]
    parts: list[torch.Tensor] = []

    def kept(values: torch.Tensor) -> torch.Tensor:
        parts.append(values.clone())
        return values

    def first_step(rank: int, of: int) -> None:
        copies = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
        for copy, gradient in zip(copies, matrices(1), strict=True):
            copy.grad = gradient
        Muon(copies, lr=0.02, weight_decay=0.1, rank=rank, size=of, total=kept).step()

    first_step(0, 1)
    alone = parts.pop()
    for rank in range(size):
        first_step(rank, size)
    assert torch.equal(sum(parts), alone)
    assert all((part != 0).sum() < (alone != 0).sum() for part in parts)


def test_state_of_torchs_muon_can_be_gone_on_from() -> None:
    weights = [torch.nn.Parameter(matrix) for matrix in matrices(0)]
    theirs = torch.optim.Muon(weights, lr=0.02, weight_decay=0.1)
    for weight, gradient in zip(weights, matrices(1), strict=True):
        weight.grad = gradient
    theirs.step()
    ours = Muon(weights, lr=0.5, weight_decay=0.0)
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0]["lr"] == 0.02
    for weight in weights:
        kept = ours.state[weight]["momentum_buffer"]
        assert torch.equal(kept, theirs.state[weight]["momentum_buffer"])


def test_a_matrix_without_a_gradient_stays_and_a_closure_is_refused() -> None:
    weights = [torch.nn.Parameter(matrix) for matrix in matrices(0)]
    before = weights[1].detach().clone()
    optimizer = Muon(weights, lr=0.02, weight_decay=0.1)
    optimizer.step()  # none has one
    weights[0].grad = torch.ones_like(weights[0])
    optimizer.step()
    assert torch.equal(weights[1], before)
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(lambda: 0.0)
