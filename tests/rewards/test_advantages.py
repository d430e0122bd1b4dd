"""Group advantages: what each kind promises, for any rewards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pixel_core.config import RewardConfig
from pixel_core.rewards.advantages import UNIFORM, advantages
from pixel_core.rewards.shaping import shape

KINDS = ("mean", "mean_std", "leave_one_out")
kinds = st.sampled_from(KINDS)
rewards = st.lists(st.floats(-2, 2), min_size=2, max_size=12).map(np.array)
#: Rewards far enough apart that scaling does not make them uniform.
spread = rewards.filter(lambda values: np.ptp(values) > 1e-3)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mean", [0.75, -0.25, -0.25, -0.25]),
        ("mean_std", [3**0.5, -(3**-0.5), -(3**-0.5), -(3**-0.5)]),
        ("leave_one_out", [1.0, -1 / 3, -1 / 3, -1 / 3]),
    ],
)
def test_one_right_answer_in_four(kind, expected) -> None:
    np.testing.assert_allclose(advantages([1, 0, 0, 0], kind), expected, atol=1e-12)


@given(rewards, kinds)
def test_they_sum_to_zero_and_keep_the_order(values, kind) -> None:
    result = advantages(values, kind)
    assert result.shape == values.shape
    if np.ptp(values) < UNIFORM:
        assert (result == 0).all()
        return
    assert abs(result.mean()) < 1e-6
    order = np.argsort(values)
    assert (np.diff(result[order]) >= -1e-12).all()


@given(spread, kinds, st.floats(-3, 3))
def test_only_differences_count(values, kind, shift) -> None:
    np.testing.assert_allclose(
        advantages(values + shift, kind), advantages(values, kind), atol=1e-9
    )


@given(spread, st.floats(0.1, 10))
def test_mean_std_knows_no_scale_and_the_others_keep_it(values, scale) -> None:
    np.testing.assert_allclose(
        advantages(scale * values, "mean_std"), advantages(values, "mean_std"), atol=1e-9
    )
    assert advantages(values, "mean_std").std() == pytest.approx(1)
    for kind in ("mean", "leave_one_out"):
        np.testing.assert_allclose(
            advantages(scale * values, kind), scale * advantages(values, kind), atol=1e-9
        )


@given(rewards)
def test_leaving_oneself_out_is_the_mean_stretched(values) -> None:
    size = len(values)
    np.testing.assert_allclose(
        advantages(values, "leave_one_out"),
        advantages(values, "mean") * size / (size - 1),
        atol=1e-12,
    )


@given(rewards, kinds, st.randoms(use_true_random=False))
def test_the_order_of_rollouts_is_of_no_account(values, kind, random) -> None:
    assume(abs(np.ptp(values) - UNIFORM) > 1e-9)
    order = list(range(len(values)))
    random.shuffle(order)
    np.testing.assert_allclose(
        advantages(values[order], kind), advantages(values, kind)[order], atol=1e-9
    )


@given(st.floats(-2, 2), st.integers(2, 16), kinds)
def test_a_uniform_group_has_exactly_no_advantage(value, size, kind) -> None:
    noise = np.linspace(0, 1e-9, size)
    assert not advantages(value + noise, kind).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_bonus_among_equal_answers_is_a_signal(kind) -> None:
    """The original's rule, mean |r - mean| < 0.01, would drop this group."""
    used = np.arange(8) < 2
    total = shape(np.zeros(8), used, used.astype(int), RewardConfig()).total
    assert np.abs(total - total.mean()).mean() < 0.01
    result = advantages(total, kind)
    assert (result[used] > 0).all()
    assert (result[~used] < 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [[1.0], [], [1.0, float("nan")], [[1.0, 0.0]]])
def test_groups_that_cannot_be_compared_are_refused(values, kind) -> None:
    with pytest.raises(ValueError, match=r"at least two|finite"):
        advantages(values, kind)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'median': give mean"):
        advantages([0.0, 1.0], "median")
