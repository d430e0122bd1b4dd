"""Two models compared: published values, exact counts, and simulated coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.statistics.paired import compare_sampled, compare_single, newcombe


def pair(both: int, won: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1, 0, 1, 0], [both, won, lost, neither])
    b = np.repeat([1, 1, 0, 0], [both, won, lost, neither])
    return a, b


@pytest.mark.parametrize(
    ("both", "won", "lost", "neither", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10.
    [
        (36, 12, 2, 0, 0.0569, 0.3404),
        (20, 12, 2, 16, 0.0562, 0.3292),
        (18, 12, 2, 18, 0.0562, 0.3290),
        (36, 14, 0, 0, 0.1528, 0.4167),
        (35, 14, 0, 1, 0.1461, 0.4175),
        (18, 14, 0, 18, 0.1441, 0.3963),
        (1, 98, 0, 1, 0.9171, 0.9916),
        (54, 0, 0, 0, -0.0664, 0.0664),
        (53, 0, 0, 1, -0.0729, 0.0729),
        (30, 0, 0, 24, -0.0358, 0.0358),
        (27, 0, 0, 27, -0.0351, 0.0351),
    ],
)
def test_method_10_against_newcombes_table(both, won, lost, neither, low, high) -> None:
    interval = newcombe(both, won, lost, both + won + lost + neither)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_method_10_against_another_worked_example() -> None:
    # Airway hyper-responsiveness of 21 children before and after a transplantation, in
    # Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850: -0.507 to -0.026.
    interval = newcombe(both=1, won=1, lost=7, n=21)
    assert (interval.low, interval.high) == pytest.approx((-0.507, -0.026), abs=5e-4)


@pytest.mark.parametrize(("n", "swapped"), [(20, 0.05), (50, 0.04), (50, 0.02), (191, 0.02)])
def test_newcombes_interval_covers_models_that_hardly_differ(n: int, swapped: float) -> None:
    """What a benchmark compares: two rows that answer nearly all questions alike."""
    rng = np.random.default_rng(1)
    counts = rng.multinomial(n, [0.6, swapped, swapped, 0.4 - 2 * swapped], 150)
    found = [newcombe(both, won, lost, n) for both, won, lost, _ in counts.tolist()]
    held = sum(interval.low <= 0 <= interval.high for interval in found)
    assert held / 150 >= 0.93
    assert min(interval.high - interval.low for interval in found) > 0


def test_mcnemar_is_the_sign_test_on_the_discordant() -> None:
    result = compare_single(*pair(both=30, won=8, lost=1, neither=11))
    assert (result.n, result.won, result.lost) == (50, 8, 1)
    assert result.difference == pytest.approx(7 / 50)
    # Two-sided: 2 * (C(9,0) + C(9,1)) / 2**9
    assert result.p_value == pytest.approx(20 / 512)
    assert result.interval.low > 0


@pytest.mark.ci
def test_newcombes_paired_interval_covers() -> None:
    rng = np.random.default_rng(5)
    shares = [0.3, 0.3, 0.1, 0.3]
    held = 0
    for _ in range(600):
        result = compare_single(*pair(*rng.multinomial(60, shares)))
        held += result.interval.low <= 0.2 <= result.interval.high
    assert 0.925 <= held / 600 <= 0.985


@given(st.tuples(*[st.integers(0, 30)] * 4).filter(lambda t: sum(t) > 0))
def test_swapping_the_models_mirrors_the_result(counts) -> None:
    a, b = pair(*counts)
    there, back = compare_single(a, b), compare_single(b, a)
    assert there.difference == -back.difference
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.won, there.lost) == (back.lost, back.won)
    assert there.interval.low == pytest.approx(-back.interval.high)
    assert there.interval.low <= there.difference <= there.interval.high


def test_no_discordant_question_is_no_evidence() -> None:
    result = compare_single([1, 0, 1], [1, 0, 1])
    assert (result.p_value, result.difference) == (1.0, 0.0)
    assert result.interval.low < 0 < result.interval.high


def test_no_difference_on_any_question_is_no_certainty() -> None:
    """Graded scores: fifty questions alike, and one question alone."""
    alike = compare_sampled(np.full(50, 0.7), np.full(50, 0.7), resamples=99, seed=0)
    assert alike.difference == 0.0
    assert (alike.interval.low, alike.interval.high) == pytest.approx(
        (-0.0713, 0.0713), abs=1e-4
    )
    alone = compare_sampled([0.5], [0.75], resamples=99, seed=0)
    assert alone.interval.low < 0 < 0.25 < alone.interval.high


def test_the_permutation_test_agrees_with_all_sign_flips() -> None:
    a = np.array([0.25, 0.5, 0.0, 0.75, 0.25, 0.5, 0.0, 0.25])
    b = np.array([0.5, 0.75, 0.5, 0.5, 0.75, 0.75, 0.25, 0.25])
    gain = b - a
    flips = [abs(np.dot(signs, gain)) for signs in product([-1, 1], repeat=len(gain))]
    exact = np.mean([flip >= abs(gain.sum()) - 1e-12 for flip in flips])
    result = compare_sampled(a, b, resamples=40_000, seed=0)
    assert result.p_value == pytest.approx(exact, abs=0.01)
    assert (result.won, result.lost) == (6, 1)
    assert result.interval.low < result.difference < result.interval.high


def test_the_permutation_test_keeps_its_level() -> None:
    rng = np.random.default_rng(2)
    low = 0
    for trial in range(300):
        a, b = rng.binomial(4, 0.5, (2, 40)) / 4
        low += compare_sampled(a, b, resamples=199, seed=trial).p_value <= 0.05
    assert low / 300 <= 0.09


def test_a_p_value_is_never_zero_and_equal_models_are_at_one() -> None:
    assert compare_sampled(np.zeros(40), np.ones(40), resamples=99, seed=0).p_value == 0.01
    assert compare_sampled(np.ones(40), np.ones(40), resamples=99, seed=0).p_value == 1.0


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        compare_single([], [])
    with pytest.raises(ValueError, match="same questions"):
        compare_sampled([1.0], [1.0, 0.0], resamples=10, seed=0)
