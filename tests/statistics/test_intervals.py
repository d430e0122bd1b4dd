"""Intervals of one score: published values, few and equal answers, simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.statistics.intervals import bounded_mean, cluster_bootstrap, wilson


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


def bounds(values, seed: int = 0, **more) -> tuple[float, float]:
    given = {"resamples": 300, "rng": np.random.default_rng(seed), "confidence": 0.95}
    found = bounded_mean(np.asarray(values, float), -1.0, 1.0, **given | more)
    return found.low, found.high


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        # Of 50 equal ones up to 7.1 % of all may be others (Wilson, none of 50), of any value.
        ([0.0] * 50, -0.0713, 0.0713),
        ([0.4] * 50, 0.4 - 0.0713 * 1.4, 0.4 + 0.0713 * 0.6),
        ([0.3, 0.1 + 0.2] * 25, 0.3 - 0.0713 * 1.3, 0.3 + 0.0713 * 0.7),
        # One question says next to nothing: up to 79.3 % may be others.
        ([0.25], 0.25 - 0.7935 * 1.25, 0.25 + 0.7935 * 0.75),
        # Two that all but agree: Wilson's formula for a share of 0.625 of two.
        ([0.24, 0.26], 2 * 0.1417 - 1, 2 * 0.9439 - 1),
    ],
)
def test_few_or_equal_values_do_not_give_certainty(values, low, high) -> None:
    assert bounds(values) == pytest.approx((low, high), abs=2e-4)


def test_six_different_values_are_resampled_at_95_percent() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    low, high = bounds(values)
    assert 0.1 < low < 0.35 < high < 0.6
    assert bounds(values[:5]) != bounds(values[:5], confidence=0.9)
    low, high = bounds(values[:5], confidence=0.9)
    assert 0.1 <= low < 0.3 < high <= 0.5, "at 90 % five are enough"
    low, high = bounds(values[:5])
    assert low < 0.1 < 0.5 < high


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_graded_answers_are_covered(n: int) -> None:
    """Scores between 0 and 1, skewed: resampling two or three of them misses the mean often."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        low, high = bounds(rng.beta(0.6, 0.3, n) - rng.beta(0.4, 0.4, n))
        held += low <= 0.6 / 0.9 - 0.5 <= high
    assert held / 400 >= 0.94


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="n is 0"):
        cluster_bootstrap([], resamples=10, seed=0)
    with pytest.raises(ValueError, match="one value a question"):
        cluster_bootstrap([[0.5]], resamples=10, seed=0)
