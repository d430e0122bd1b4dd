"""Intervals and tests against published values, exact counts, and simulated coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.scoring.intervals import (
    cluster_bootstrap,
    compare_sampled,
    compare_single,
    wilson,
)


def pair(both: int, won: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1, 0, 1, 0], [both, won, lost, neither])
    b = np.repeat([1, 1, 0, 0], [both, won, lost, neither])
    return a, b


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_newcombes_table(correct, n, low, high) -> None:
    interval = wilson(correct, n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_estimate_and_stays_in_the_unit_interval(counts) -> None:
    correct, n = counts
    interval = wilson(correct, n)
    assert -1e-12 <= interval.low <= correct / n <= interval.high <= 1 + 1e-12
    assert interval.high - interval.low > 0


def test_bootstrap_covers_and_respects_clusters() -> None:
    """Four answers a question that agree with one another are one answer, not four."""
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        skill = rng.beta(0.5, 0.5, 60)
        means = rng.binomial(4, skill) / 4
        interval = cluster_bootstrap(means, resamples=400, seed=trial)
        held += interval.low <= 0.5 <= interval.high
    assert 0.89 <= held / 200 <= 0.99


def test_bootstrap_is_seeded() -> None:
    means = np.random.default_rng(1).random(50)
    first = cluster_bootstrap(means, resamples=500, seed=3)
    assert first == cluster_bootstrap(means, resamples=500, seed=3)
    assert first != cluster_bootstrap(means, resamples=500, seed=4)


@pytest.mark.parametrize("value", [0, 1])
def test_unanimous_answers_do_not_give_certainty(value) -> None:
    interval = cluster_bootstrap(np.full(20, value), resamples=200, seed=0)
    assert interval.high - interval.low > 0.1
    assert interval.low <= value <= interval.high


def test_mcnemar_is_the_sign_test_on_the_discordant() -> None:
    result = compare_single(*pair(both=30, won=8, lost=1, neither=11))
    assert (result.n, result.won, result.lost) == (50, 8, 1)
    assert result.difference == pytest.approx(7 / 50)
    # Two-sided: 2 * (C(9,0) + C(9,1)) / 2**9
    assert result.p_value == pytest.approx(20 / 512)
    assert result.interval.low > 0


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


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="n is 0"):
        cluster_bootstrap([], resamples=10, seed=0)
    with pytest.raises(ValueError, match="n is 0"):
        compare_single([], [])
    with pytest.raises(ValueError, match="same questions"):
        compare_sampled([1.0], [1.0, 0.0], resamples=10, seed=0)
