"""Scores in which every kind counts alike: their value, their coverage, their test."""

from __future__ import annotations

import numpy as np
import pytest

from pixel_core.statistics.headline import Headline
from pixel_core.statistics.intervals import wilson
from pixel_core.statistics.metrics import IntervalSettings
from pixel_core.statistics.paired import compare_sampled, compare_single
from pixel_core.statistics.strata import (
    compare_stratified,
    mean_of_shares,
    stratified_bootstrap,
)

DRAWN = {"resamples": 400, "seed": 3}


def places(*sizes: int) -> tuple[np.ndarray, ...]:
    ends = np.cumsum(sizes)
    return tuple(np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True))


def test_one_kind_is_a_share() -> None:
    ours, theirs = mean_of_shares([81], [263]), wilson(81, 263)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_small_kinds_weigh_as_much_as_large_ones() -> None:
    right_q = np.array([1.0] * 10 + [0.0] * 990)
    headline = Headline(exact=True, sampling=IntervalSettings(), kinds=places(10, 990))
    assert headline.value(right_q) == 0.5
    assert headline.over_questions.value(right_q) == 0.01
    interval = headline.interval(right_q)
    # The small kind's doubt is nearly all of it: half of its Wilson interval's width.
    assert interval.low == pytest.approx(0.5 - (1 - wilson(10, 10).low) / 2, abs=0.002)
    assert interval.high < 0.51


@pytest.mark.ci
@pytest.mark.parametrize("method", ["shares", "bootstrap", "difference", "graded difference"])
def test_coverage(method: str) -> None:
    """Over kinds of unequal size and skill; of a difference with answers that go together."""
    rng = np.random.default_rng(7)
    sizes, skills = (20, 60, 150), np.array([0.3, 0.9, 0.6])
    held, trials = 0, 200
    for trial in range(trials):
        a_kq = [(rng.random(n) < p).astype(float) for n, p in zip(sizes, skills, strict=True)]
        if method == "shares":
            right = [int(part.sum()) for part in a_kq]
            interval, truth = mean_of_shares(right, sizes), skills.mean()
        elif method == "bootstrap":
            graded = [part * rng.random(part.size) for part in a_kq]
            truth = skills.mean() / 2
            interval = stratified_bootstrap(graded, resamples=300, seed=trial)
        else:
            b_kq = [np.where(rng.random(part.size) < 0.2, 1.0, part) for part in a_kq]
            truth = float(np.mean(0.2 * (1 - skills)))
            exact = method == "difference"
            pair = compare_stratified(a_kq, b_kq, exact=exact, resamples=300, seed=trial)
            interval = pair.interval
        held += interval.low <= truth <= interval.high
    assert 0.89 <= held / trials <= 0.99


def test_a_kind_weight_can_turn_the_difference() -> None:
    """Better on the few, worse on the many."""
    a_kq = [np.zeros(10), np.ones(1000)]
    b_kq = [np.ones(10), np.r_[np.zeros(100), np.ones(900)]]
    pair = compare_stratified(a_kq, b_kq, exact=True, **DRAWN)
    assert pair.difference == pytest.approx((1.0 - 0.1) / 2)
    assert (pair.n, pair.won, pair.lost) == (1010, 10, 100)
    assert np.mean(np.concatenate(b_kq)) < np.mean(np.concatenate(a_kq))
    assert pair.interval.low > 0.2, "ten of ten won are not all that could be asked"


def test_one_kind_compares_as_without_kinds() -> None:
    rng = np.random.default_rng(4)
    a_q, b_q = (rng.integers(0, 2, 30).astype(float) for _ in "ab")
    ours = compare_stratified([a_q], [b_q], exact=True, **DRAWN).interval
    alone = compare_single(a_q, b_q).interval
    assert (ours.low, ours.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize("exact", [True, False])
def test_one_question_a_kind_leaves_doubt(exact: bool) -> None:
    """Twenty kinds of one question, five of them won: p is 2/32, no less."""
    a_kq = [np.zeros(1)] * 20
    b_kq = [np.full(1, float(kind < 5)) for kind in range(20)]
    pair = compare_stratified(a_kq, b_kq, exact=exact, resamples=2000, seed=0)
    assert (pair.difference, pair.won) == (0.25, 5)
    assert pair.p_value == pytest.approx(2 / 32, abs=0.02)
    assert pair.interval.high - pair.interval.low > 0.3
    assert pair.interval.low < 0.1 < 0.4 < pair.interval.high


@pytest.mark.parametrize("exact", [True, False])
def test_one_question_a_kind_is_covered(exact: bool) -> None:
    rng = np.random.default_rng(8)
    skill_k = rng.uniform(0.2, 0.9, 20)
    held = 0
    for trial in range(50):
        a_k = rng.random(20) < skill_k
        b_k = np.where(rng.random(20) < 0.3, True, a_k)
        kinds = [[np.array([float(value)]) for value in row] for row in (a_k, b_k)]
        interval = compare_stratified(*kinds, exact=exact, resamples=20, seed=trial).interval
        held += interval.low <= 0.3 * (1 - skill_k.mean()) <= interval.high
    assert held / 50 >= 0.94


def test_equal_scores_of_a_kind_add_their_doubt() -> None:
    varied = np.linspace(0, 1, 30)
    alike = stratified_bootstrap([varied, np.full(30, 0.5)], **DRAWN)
    alone = stratified_bootstrap([varied], **DRAWN)
    assert alike.high - alike.low > (alone.high - alone.low) / 2 + 0.005


def _chance(a_kq, b_kq, seed: int) -> float:
    return compare_stratified(a_kq, b_kq, exact=False, resamples=200, seed=seed).p_value


def test_without_a_difference_the_test_says_so() -> None:
    rng = np.random.default_rng(1)
    below = 0
    for trial in range(100):
        a_kq, b_kq = ([rng.random(n) for n in (15, 40)] for _ in "ab")
        below += _chance(a_kq, b_kq, trial) < 0.1
    assert below <= 20  # 10 are expected


def test_nothing_but_right_answers_still_leaves_doubt() -> None:
    interval = stratified_bootstrap([np.ones(5), np.ones(40)], **DRAWN)
    assert interval.high == 1.0
    assert 0.5 < interval.low < 0.9


def test_every_kind_needs_a_question() -> None:
    with pytest.raises(ValueError, match="every kind needs a question"):
        stratified_bootstrap([np.ones(5), np.ones(0)], **DRAWN)
    with pytest.raises(ValueError, match="every kind needs a question"):
        mean_of_shares([], [])


def test_the_method_follows_from_what_was_answered() -> None:
    rng = np.random.default_rng(2)
    a_q, b_q = (rng.random(50).round() for _ in "ab")
    sampling = IntervalSettings(confidence=0.9, resamples=200, seed=1)
    exact, graded = Headline(True, sampling), Headline(False, sampling)
    assert exact.compare(a_q, b_q) == compare_single(a_q, b_q, 0.9)
    drawn = {"resamples": 200, "seed": 1, "confidence": 0.9}
    assert graded.compare(a_q, b_q) == compare_sampled(a_q, b_q, **drawn)
    assert (
        "kinds weighted alike" in Headline(True, sampling, places(9, 41)).compare(a_q, b_q).test
    )
