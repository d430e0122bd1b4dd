"""Two models on the same questions: their difference, and whether it could be chance.

Legend: q question. As in ``intervals.py`` questions are the independent units.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixel_core.statistics.intervals import (
    BLOCK,
    Floats,
    Interval,
    bounded_mean,
    one_a_question,
    wilson,
)


@dataclass(frozen=True)
class Paired:
    """Two models on the same questions: ``b`` minus ``a``."""

    n: int
    difference: float
    interval: Interval
    p_value: float
    test: str
    won: int  #: questions on which b is better
    lost: int  #: questions on which a is better


def compare_single(a_q: ArrayLike, b_q: ArrayLike, confidence: float = 0.95) -> Paired:
    """One answer a question: exact McNemar test and ``newcombe``'s interval."""
    a, b = one_a_question(a_q) > 0.5, one_a_question(b_q) > 0.5
    _same_length(a, b)
    n = a.size
    won, lost = int((b & ~a).sum()), int((a & ~b).sum())
    from scipy.stats import binomtest  # here: it takes a second to import

    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return Paired(
        n=n,
        difference=(won - lost) / n,
        interval=newcombe(int((a & b).sum()), won, lost, n, confidence),
        p_value=p_value,
        test="exact McNemar",
        won=won,
        lost=lost,
    )


def compare_sampled(
    a_q: ArrayLike,
    b_q: ArrayLike,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Paired:
    """Several answers a question, given as each question's share of right answers.

    The p value flips the sign of each question's difference at random (two-sided; the
    observed value is counted among the resamples, so it is never 0); the interval is that of
    the mean difference over questions (``intervals.bounded_mean``).
    """
    a, b = one_a_question(a_q), one_a_question(b_q)
    _same_length(a, b)
    gain = b - a
    rng = np.random.default_rng([seed, 0])
    return Paired(
        n=gain.size,
        difference=float(gain.mean()),
        interval=bounded_mean(
            gain, -1.0, 1.0, resamples=resamples, rng=rng, confidence=confidence
        ),
        p_value=sign_flip(gain, resamples, seed),
        test="paired sign-flip permutation",
        won=int((gain > 0).sum()),
        lost=int((gain < 0).sum()),
    )


def sign_flip(gain_q: Floats, resamples: int, seed: int) -> float:
    """The two-sided p value of the mean of ``gain_q`` against signs drawn at random."""
    observed = abs(float(gain_q.mean()))
    rng = np.random.default_rng([seed, 1])
    extreme, done = 0, 0
    while done < resamples:
        rows = min(resamples - done, max(1, BLOCK // gain_q.size))
        signs = rng.integers(0, 2, (rows, gain_q.size), dtype=np.int8) * 2 - 1
        # A tie is as extreme as the observed value; rounding must not break it.
        extreme += int((np.abs(signs @ gain_q) / gain_q.size >= observed - 1e-12).sum())
        done += rows
    return (extreme + 1) / (resamples + 1)


def newcombe(both: int, won: int, lost: int, n: int, confidence: float = 0.95) -> Interval:
    """The interval of (won - lost) / n, one answer of each model a question; ``both``: the
    number both got right. Method 10 of Newcombe 1998, Statistics in Medicine 17:2635."""
    neither = n - both - won - lost
    right_a, right_b = both + lost, both + won
    bounds_a, bounds_b = wilson(right_a, n, confidence), wilson(right_b, n, confidence)
    share_a, share_b = right_a / n, right_b / n
    margins = right_a * (n - right_a) * right_b * (n - right_b)
    together = float(both * neither - won * lost)
    if together > 0:
        # His continuity correction: without it, models that never differ would give zero width.
        together = max(together - n / 2, 0.0)
    phi = together / sqrt(margins) if margins else 0.0

    def reach(side_a: float, side_b: float) -> float:
        return sqrt(max(side_a**2 - 2 * phi * side_a * side_b + side_b**2, 0.0))

    difference = share_b - share_a
    return Interval(
        difference - reach(bounds_a.high - share_a, share_b - bounds_b.low),
        difference + reach(share_a - bounds_a.low, bounds_b.high - share_b),
    )


def _same_length(a: NDArray, b: NDArray) -> None:
    if a.size != b.size:
        raise ValueError(f"a pair needs the same questions, got {a.size} and {b.size}")
