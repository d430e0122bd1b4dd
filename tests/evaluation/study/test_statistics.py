"""Means and differences over runs and questions: what the intervals cover, what tests say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from pixel_core.evaluation.study import statistics
from pixel_core.evaluation.study.statistics import (
    IntervalSettings,
    mean_over_runs,
    nested_bootstrap,
    paired_difference,
    sign_flip,
)

HOW = IntervalSettings(confidence=0.95, resamples=400, seed=0)
#: Two warm starts of one base model, two runs of each.
PAIRS = [(0, 0), (0, 0), (0, 1), (0, 1)]
#: Sums of these are exact, so that ties are ties.
values = st.integers(-64, 64).map(lambda n: n / 64)


# In 64ths, as shares of questions are: scipy's tolerance for ties is relative and ours
# absolute, so they part where a difference is 1e-13 of another.
@given(st.lists(st.integers(-64, 64).map(lambda n: n / 64), min_size=2, max_size=7))
@settings(max_examples=30, deadline=None)
def test_sign_flips_agree_with_scipys_exact_test(differences: list[float]) -> None:
    zero = np.zeros(len(differences))
    expected = permutation_test(
        (np.array(differences), zero),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip(differences, 0) == pytest.approx(expected.pvalue, abs=1e-9)


def test_the_smallest_p_value_of_few_pairs() -> None:
    assert sign_flip([0.2], 0) == 1.0
    assert sign_flip([0.2, 0.3, 0.1], 0) == 0.25
    assert sign_flip([0.2] * 6, 0) == 2 / 64


def test_many_pairs_are_sampled_and_agree_with_fewer() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.05, 0.2, 15)
    exact = (
        np.abs(np.array(np.meshgrid(*[[-1, 1]] * 15)).reshape(15, -1).T @ differences)
        >= abs(differences.sum()) - 1e-12
    )
    assert sign_flip(differences, 0) == pytest.approx(exact.mean(), abs=0.02)


def test_the_interval_grows_with_every_source_of_chance() -> None:
    """Runs that differ, and warm starts that differ, widen it beyond that of the questions."""
    rng = np.random.default_rng(0)
    questions = rng.random(200)
    same = np.tile(questions, (6, 1))
    places = [(0, 0)] * 3 + [(0, 1)] * 3
    run_shift = np.array([-0.1, 0.0, 0.1, -0.1, 0.0, 0.1])[:, None]
    start_shift = np.array([-0.1] * 3 + [0.1] * 3)[:, None]

    def width(matrix: np.ndarray) -> float:
        interval = nested_bootstrap(matrix, places, HOW)
        return interval.high - interval.low

    alone, runs, both = width(same), width(same + run_shift), width(same + start_shift)
    assert alone < runs
    assert alone < both
    # Equal shifts: two warm starts that differ leave more doubt than six runs that do.
    assert runs < both


def test_coverage_over_new_questions_and_new_runs() -> None:
    """Simulated studies: 3 warm starts of 4 runs; the truth is inside about as often as the
    documented, slightly narrow, rule promises."""
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(50):
        skill = rng.normal(0.6, 0.05, 3).repeat(4) + rng.normal(0, 0.05, 12)
        question = rng.normal(0, 0.15, 80)
        matrix = skill[:, None] + question[None, :] + rng.normal(0, 0.2, (12, 80))
        how = IntervalSettings(confidence=0.95, resamples=100, seed=trial)
        interval = nested_bootstrap(matrix, [(0, n) for n in range(3) for _ in range(4)], how)
        held += interval.low <= 0.6 <= interval.high
    assert 0.75 <= held / 50 <= 0.99


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_unanimous_answers_leave_doubt(value: float) -> None:
    mean = mean_over_runs(np.full((3, 40), value), [(0, 0), (0, 0), (0, 1)], HOW)
    assert mean.value == value
    assert mean.interval.high - mean.interval.low > 0.05


def test_a_difference_is_paired_by_question_and_by_run() -> None:
    """Questions of very unequal difficulty: pairing takes their spread out."""
    rng = np.random.default_rng(2)
    difficulty = rng.random(150)
    a = np.stack([np.clip(difficulty * 0.7 + rng.normal(0, 0.02, 150), 0, 1) for _ in range(4)])
    b = np.clip(a + 0.15, 0, 1.2)
    found = paired_difference(a, b, PAIRS, HOW)
    assert (found.runs, found.questions) == (4, 150)
    assert found.value == pytest.approx(0.15, abs=1e-6)
    assert found.interval.high - found.interval.low < 0.01
    assert found.smallest == pytest.approx(found.largest, abs=1e-6)
    assert found.p_questions < 0.01
    assert found.p_runs == 2 / 16
    back = paired_difference(b, a, PAIRS, HOW)
    assert back.value == pytest.approx(-found.value)
    assert back.interval.low == pytest.approx(-found.interval.high, abs=1e-9)


def test_unequal_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match="the same runs and questions"):
        paired_difference(np.zeros((2, 5)), np.zeros((2, 6)), [(0, 0)] * 2, HOW)
    with pytest.raises(ValueError, match="3 runs"):
        nested_bootstrap(np.zeros((2, 5)), [(0, 0)] * 3, HOW)


def test_arms_that_never_differ_leave_doubt() -> None:
    """Both right on the same questions in every run: what was not asked could still differ."""
    answers = np.tile([1.0, 0.0], (4, 20))
    found = paired_difference(answers, answers, PAIRS, HOW)
    # Wilson's bound for none of 40.
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (-0.0876, 0.0876), abs=1e-4
    )


def test_base_models_that_differ_leave_more_doubt_than_warm_starts_that_do() -> None:
    rng = np.random.default_rng(4)
    questions = np.tile(rng.random(200), (12, 1))
    places = [(base, start) for base in range(3) for start in range(2) for _ in range(2)]
    by_base = np.array([{0: -0.1, 1: 0.0, 2: 0.1}[base] for base, _ in places])[:, None]
    by_start = np.array([{0: -0.1, 1: 0.1}[start] for _, start in places])[:, None]

    def width(matrix: np.ndarray) -> float:
        interval = nested_bootstrap(matrix, places, HOW)
        return interval.high - interval.low

    spread = by_base.std() / by_start.std()
    assert width(questions + by_base) > width(questions + spread * by_start) > width(questions)


def test_the_base_model_is_the_unit_where_there_are_several() -> None:
    """Twelve runs that agree on each of three base models are three findings, not twelve."""
    places = [(base, start) for base in (7, 8, 9) for start in (0, 1) for _ in range(2)]
    gain = np.array([{7: 0.1, 8: 0.2, 9: 0.3}[base] for base, _ in places])
    a = np.full((12, 50), 0.4)
    found = paired_difference(a, a + gain[:, None], places, HOW)
    assert found.by_base_model == pytest.approx({7: 0.1, 8: 0.2, 9: 0.3})
    assert (found.unit, found.p_runs) == ("base models", 0.25)
    one = paired_difference(a[:4], a[:4] + gain[:4, None], places[:4], HOW)
    assert (one.unit, one.p_runs) == ("pairs of runs", 2 / 16)


def test_weights_follow_the_tree() -> None:
    """A base model with more runs than another counts no more than it."""
    places = [(0, 0)] * 9 + [(1, 0)]
    matrix = np.array([[0.0] * 30] * 9 + [[1.0] * 30])
    interval = nested_bootstrap(matrix, places, HOW)
    assert (interval.low, interval.high) == pytest.approx((0.0, 1.0))
    weights = statistics._run_weights(tuple(places), 4000, 0)
    assert weights.sum(1) == pytest.approx(1.0)
    assert weights[:, 9].mean() == pytest.approx(0.5, abs=0.03)
