"""Uncertainty of a study's numbers. Legend: r run, q question; all runs answer all questions.

A mean over runs is uncertain in two ways: other questions could have been asked, and other
seeds drawn. The bootstrap resamples both: base models, the warm starts of each, the RL runs of
each of these, and (for all alike) the questions. With few seeds this is a rough guide that
errs on the narrow side, so every interval is shown with the lowest and highest run and the
result on each base model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixel_core.statistics.intervals import Interval, equal_values
from pixel_core.statistics.metrics import IntervalSettings
from pixel_core.statistics.paired import compare_sampled

Floats = NDArray[np.float64]

#: What a run depends on: the seeds of its base model and of its warm start.
Place = tuple[int, int]

#: Up to this many runs, all choices of signs are tried.
_EXACT = 14


@dataclass(frozen=True)
class Mean:
    """A mean over an arm's runs, with its interval and its extreme runs."""

    value: float
    interval: Interval
    smallest: float
    largest: float


@dataclass(frozen=True)
class Difference:
    """Arm ``b`` minus arm ``a``, on the same questions and the same pairs of seeds."""

    runs: int
    questions: int
    value: float
    interval: Interval
    smallest: float
    largest: float
    #: Paired sign-flip permutation over questions: these runs, other questions.
    p_questions: float
    #: The same over pairs of runs (each base model's mean as one pair if there are several):
    #: these questions, other seeds. With n pairs at least 2^(1-n).
    p_runs: float
    #: The unit of such a pair.
    unit: str
    #: The mean on each base model, by its seed.
    by_base_model: dict[int, float]


def mean_over_runs(
    values_rq: ArrayLike, places: Sequence[Place], how: IntervalSettings
) -> Mean:
    """Of each run's share of right answers a question, in [0, 1]; (r, q)."""
    values = _matrix(values_rq, places)
    runs = values.mean(axis=1)
    interval = _interval(values, 0.0, 1.0, places, how)
    return Mean(float(runs.mean()), interval, float(runs.min()), float(runs.max()))


def paired_difference(
    a_rq: ArrayLike, b_rq: ArrayLike, places: Sequence[Place], how: IntervalSettings
) -> Difference:
    """``b`` minus ``a``; row r of both is one pair of seeds, column q one question."""
    a, b = _matrix(a_rq, places), _matrix(b_rq, places)
    if a.shape != b.shape:
        raise ValueError(f"a pair needs the same runs and questions: {a.shape} and {b.shape}")
    gain = b - a
    runs = gain.mean(axis=1)
    questions = compare_sampled(
        a.mean(axis=0), b.mean(axis=0), resamples=how.resamples, seed=how.seed
    )
    base_models = np.array([place[0] for place in places])
    by_base_model = {
        int(seed): float(runs[base_models == seed].mean()) for seed in np.unique(base_models)
    }
    several = len(by_base_model) > 1
    return Difference(
        runs=gain.shape[0],
        questions=gain.shape[1],
        value=float(gain.mean()),
        interval=_interval(gain, -1.0, 1.0, places, how),
        smallest=float(runs.min()),
        largest=float(runs.max()),
        p_questions=questions.p_value,
        p_runs=sign_flip(list(by_base_model.values()) if several else runs, how.seed),
        unit="base models" if several else "pairs of runs",
        by_base_model=by_base_model,
    )


def _interval(
    values_rq: Floats,
    lowest: float,
    highest: float,
    places: Sequence[Place],
    how: IntervalSettings,
) -> Interval:
    if float(np.ptp(values_rq)) == 0.0:
        # Resampling equal values would give an interval of zero width.
        n = values_rq.shape[1]
        return equal_values(float(values_rq[0, 0]), n, lowest, highest, how.confidence)
    return nested_bootstrap(values_rq, places, how)


def nested_bootstrap(
    values_rq: ArrayLike, places: Sequence[Place], how: IntervalSettings
) -> Interval:
    """Percentile interval of the mean over runs and questions.

    ``places``: what each run depends on. A resample draws base models, then warm starts of
    each one drawn, then runs of each of these, then questions, all with replacement. With a
    single base model, the interval does not cover others; likewise with one warm start.
    """
    values = _matrix(values_rq, places)
    weights_br = _run_weights(tuple(places), how.resamples, how.seed)
    weights_bq = _question_weights(values.shape[1], how.resamples, how.seed)
    means_b = ((weights_br @ values) * weights_bq).sum(axis=1)
    tail = (1 - how.confidence) / 2
    low, high = np.quantile(means_b, [tail, 1 - tail])
    return Interval(float(low), float(high))


def sign_flip(differences_r: ArrayLike, seed: int) -> float:
    """Two-sided p value of a mean of paired differences if their signs were random: exact for
    up to 14 pairs, from 2^14 seeded draws beyond."""
    differences = np.asarray(differences_r, dtype=np.float64)
    if differences.ndim != 1 or differences.size == 0:
        raise ValueError(f"one difference a pair is needed, got shape {differences.shape}")
    observed = abs(float(differences.sum()))
    n = differences.size
    if n <= _EXACT:
        signs = np.array(list(product((-1.0, 1.0), repeat=n)))
        extreme = np.abs(signs @ differences) >= observed - 1e-12
        return float(extreme.mean())
    rng = np.random.default_rng([seed, 2])
    signs = rng.integers(0, 2, (2**_EXACT, n)) * 2.0 - 1.0
    extreme = np.abs(signs @ differences) >= observed - 1e-12
    return float((extreme.sum() + 1) / (extreme.size + 1))


# A resample's draws of runs and questions do not depend on values, so all means share them.


@lru_cache(maxsize=8)
def _run_weights(places: tuple[Place, ...], resamples: int, seed: int) -> Floats:
    """(b, r): each row sums to 1."""
    rng = np.random.default_rng([seed, 0])
    weights_br = np.zeros((resamples, len(places)))
    for row in weights_br:
        _draw(rng, places, np.arange(len(places)), 0, 1.0, row)
    return weights_br


def _draw(
    rng: np.random.Generator,
    places: tuple[Place, ...],
    runs: NDArray[np.int64],
    level: int,
    weight: float,
    row_r: Floats,
) -> None:
    """Split ``weight`` among as many draws as there are groups at this level."""
    if level == len(places[0]):
        np.add.at(row_r, runs[rng.integers(0, len(runs), len(runs))], weight / len(runs))
        return
    names = np.array([places[run][level] for run in runs])
    groups = [runs[names == name] for name in np.unique(names)]
    for drawn in rng.integers(0, len(groups), len(groups)):
        _draw(rng, places, groups[drawn], level + 1, weight / len(groups), row_r)


@lru_cache(maxsize=8)
def _question_weights(count: int, resamples: int, seed: int) -> Floats:
    """(b, q): each row sums to 1."""
    rng = np.random.default_rng([seed, 1])
    return rng.multinomial(count, np.full(count, 1.0 / count), resamples) / count


def _matrix(values_rq: ArrayLike, places: Sequence[Place]) -> Floats:
    values = np.asarray(values_rq, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or values.shape[0] != len(places):
        raise ValueError(
            f"one row a run and one column a question are needed, got shape {values.shape} "
            f"for {len(places)} runs"
        )
    return values
