"""Confidence intervals of scores. Legend: q question, s sampled answer of a question.

Questions are the independent units; several answers to one question are not, so they are
averaged first and questions are resampled. For one answer a question we use exact methods.
Everything random is seeded by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Resampled numbers held at once; bounds the bootstrap's memory.
BLOCK = 2_000_000
#: Tolerance for differences of equal scores.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion, one answer a question."""
    if n < 1:
        raise ValueError("no interval without questions: n is 0")
    from scipy.stats import binomtest  # here: it takes a second to import

    bounds = binomtest(int(correct), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(float(bounds.low), float(bounds.high))


def cluster_bootstrap(
    means_q: ArrayLike, *, resamples: int, seed: int, confidence: float = 0.95
) -> Interval:
    """The interval of the mean of ``means_q``, each a question's share of right answers in
    [0, 1]: ``bounded_mean`` over questions."""
    means = one_a_question(means_q)
    rng = np.random.default_rng([seed, 0])
    return bounded_mean(means, 0.0, 1.0, resamples=resamples, rng=rng, confidence=confidence)


def bounded_mean(
    values_q: Floats,
    lowest: float,
    highest: float,
    *,
    resamples: int,
    rng: np.random.Generator,
    confidence: float,
) -> Interval:
    """The interval of the mean of values between ``lowest`` and ``highest``: the percentile
    bootstrap over questions, except in two cases:

    - All values equal: resampling would give an interval of zero width (``equal_values``).
    - So few questions that the range from smallest to largest value, which no resample leaves,
      does not have this confidence itself (around a median it has confidence 1 - 2^(1-n); at
      95 % it takes six): Wilson's formula with the mean's position in the range as the share.
      Values with that mean vary most when all lie at the range's ends.
    """
    n = values_q.size
    if float(np.ptp(values_q)) < _ROUNDING:
        return equal_values(float(values_q.mean()), n, lowest, highest, confidence)
    if 2.0 ** (1 - n) > 1 - confidence:
        width = highest - lowest
        share = (float(values_q.mean()) - lowest) / width
        bounds = _score_interval(share, n, confidence)
        return Interval(lowest + width * bounds.low, lowest + width * bounds.high)
    return percentiles(resampled_means(values_q, resamples, rng), confidence)


def equal_values(
    value: float, n: int, lowest: float, highest: float, confidence: float
) -> Interval:
    """The interval of a mean whose ``n`` questions all gave one value: Wilson's bound for none
    out of n limits how many others there can be, and those may lie anywhere in the range. For
    scores all 0 or all 1 it is Wilson's interval."""
    others = wilson(0, n, confidence).high
    return Interval(value - others * (value - lowest), value + others * (highest - value))


def _score_interval(share: float, n: int, confidence: float) -> Interval:
    """Wilson's formula, also for a share that is not a multiple of 1/``n``."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return Interval(max(centre - reach, 0.0), min(centre + reach, 1.0))


def one_a_question(values: ArrayLike) -> Floats:
    """The values as an array (q,); ``ValueError`` for another shape or no values."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"one value a question is needed, got shape {array.shape}")
    if array.size == 0:
        raise ValueError("no interval without questions: n is 0")
    return array


def resampled_means(values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Means (resamples) of ``len(values)`` values drawn with replacement."""
    means: list[float] = []
    while len(means) < resamples:
        rows = min(resamples - len(means), max(1, BLOCK // values.size))
        picks = rng.integers(0, values.size, (rows, values.size), dtype=np.int32)
        means.extend(values[picks].mean(axis=1).tolist())
    return np.asarray(means)


def percentiles(means: Floats, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))
