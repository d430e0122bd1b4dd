"""The curiosity reward against the paper's numbers, and what must hold for any group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config import RewardConfig
from pixel_core.rewards.shaping import advantages, rapr, shape

PAPER = RewardConfig(alpha=0.5, beta=0.05, rapr_target=0.3, free_operations=1)


def users(count: int, of: int = 8) -> np.ndarray:
    return np.arange(of) < count


@pytest.mark.parametrize(
    ("count", "bonus"), [(0, 0.0), (1, 0.0875), (2, 0.025), (3, 0.0), (8, 0.0)]
)
def test_curiosity_in_a_group_of_eight(count: int, bonus: float) -> None:
    used = users(count)
    shaped = shape(np.zeros(8), used, used.astype(int), PAPER)
    assert shaped.rapr == count / 8
    np.testing.assert_allclose(shaped.curiosity, np.where(used, bonus, 0.0), atol=1e-12)
    np.testing.assert_array_equal(shaped.penalty, 0)


def test_every_attempt_beyond_the_free_one_costs() -> None:
    used = np.array([0, 1, 1, 1], bool)
    shaped = shape([1, 1, 0, 1], used, [0, 1, 2, 4], PAPER)
    np.testing.assert_allclose(shaped.penalty, [0, 0, -0.05, -0.15])
    np.testing.assert_allclose(shaped.total, [1, 1, -0.05, 0.85])


def test_a_failed_call_earns_no_curiosity_and_is_not_free() -> None:
    shaped = shape([0, 0, 0, 0], [False] * 4, [3, 1, 0, 0], PAPER)
    assert shaped.rapr == 0
    np.testing.assert_array_equal(shaped.curiosity, 0)
    np.testing.assert_allclose(shaped.penalty, [-0.1, 0, 0, 0])


def test_curiosity_can_be_turned_off() -> None:
    off = RewardConfig(alpha=0, beta=0)
    shaped = shape([1, 0], [True, False], [3, 0], off)
    np.testing.assert_array_equal(shaped.total, [1, 0])


groups = st.integers(1, 12).flatmap(
    lambda g: st.tuples(
        st.lists(st.booleans(), min_size=g, max_size=g),
        st.lists(st.integers(0, 4), min_size=g, max_size=g),
        st.lists(st.integers(0, 4), min_size=g, max_size=g),
    )
)
configs = st.builds(
    RewardConfig,
    alpha=st.floats(0, 2),
    beta=st.floats(0, 1),
    rapr_target=st.floats(0, 1),
    free_operations=st.integers(0, 3),
)


@given(groups, configs)
def test_parts_have_their_signs_and_add_up(group, config) -> None:
    correct, executed, failed = map(np.array, group)
    shaped = shape(correct, executed > 0, executed + failed, config)
    np.testing.assert_array_equal(
        shaped.total, shaped.correct + shaped.curiosity + shaped.penalty
    )
    assert (shaped.curiosity >= 0).all()
    assert (shaped.penalty <= 0).all()
    assert (shaped.curiosity[executed == 0] == 0).all()
    assert len({*shaped.curiosity[executed > 0]}) <= 1, "one bonus for the whole group"
    if shaped.rapr >= config.rapr_target:
        assert (shaped.curiosity == 0).all()


@pytest.mark.parametrize(
    ("correct", "used", "attempts"),
    [([1, 0], [True], [1, 0]), ([], [], []), ([1, 0], [True, False], [0, 0])],
)
def test_impossible_groups_are_refused(correct, used, attempts) -> None:
    with pytest.raises(ValueError, match=r"used|length|RaPR"):
        shape(correct, used, attempts, PAPER)


def test_rapr_is_the_share_of_users() -> None:
    assert rapr([True, False, False, True]) == 0.5


rewards = st.lists(st.floats(-2, 2), min_size=2, max_size=12).map(np.array)


@given(rewards, st.sampled_from(["mean", "mean_std"]))
def test_advantages_are_centred_and_keep_the_order(values, kind) -> None:
    result = advantages(values, kind)
    assert result.shape == values.shape
    if np.ptp(values) < 1e-6:
        assert (result == 0).all()
        return
    assert abs(result.mean()) < 1e-6
    order = np.argsort(values)
    assert (np.diff(result[order]) >= 0).all()
    if kind == "mean_std":
        assert result.std() == pytest.approx(1)
    else:
        assert np.ptp(result) == pytest.approx(np.ptp(values))


@given(st.floats(-2, 2), st.integers(2, 16), st.sampled_from(["mean", "mean_std"]))
def test_a_uniform_group_has_exactly_no_advantage(value, size, kind) -> None:
    noise = np.linspace(0, 1e-9, size)
    assert not advantages(value + noise, kind).any()


@pytest.mark.parametrize("values", [[1.0], [], [1.0, float("nan")], [[1.0, 0.0]]])
def test_groups_that_cannot_be_compared_are_refused(values) -> None:
    with pytest.raises(ValueError, match=r"at least two|finite"):
        advantages(values, "mean")
