"""Scores that are the mean over kinds of question, every kind counting alike (MVBench).

Legend: q question, k kind. Questions are the independent units here too, but the number per
kind is fixed: each kind has its own interval, and these are combined by the method of variance
estimates recovery (Zou and Donner 2008, Statistics in Medicine 27:1693). So a kind with one
question, or with equal scores, adds its uncertainty like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from pixel_core.statistics.intervals import Floats, Interval, bounded_mean, wilson
from pixel_core.statistics.paired import Paired, compare_single, sign_flip


def mean_of_shares(
    correct_k: Sequence[int], n_k: Sequence[int], confidence: float = 0.95
) -> Interval:
    """The interval of the mean of independent shares, one answer a question: combines each
    share's Wilson interval."""
    _some(n_k)
    pairs = list(zip(correct_k, n_k, strict=True))
    shares = [right / n for right, n in pairs]
    bounds = [wilson(right, n, confidence) for right, n in pairs]
    return _together(shares, bounds, 0.0, 1.0)


def stratified_bootstrap(
    means_kq: Sequence[ArrayLike], *, resamples: int, seed: int, confidence: float = 0.95
) -> Interval:
    """The interval of the mean over kinds of a kind's mean score, scores in [0, 1]: combines
    each kind's own (``intervals.bounded_mean``)."""
    kinds = _values(means_kq)
    bounds = [
        bounded_mean(means_q, 0.0, 1.0, resamples=resamples, rng=rng, confidence=confidence)
        for means_q, rng in zip(kinds, _streams(seed), strict=False)
    ]
    return _together([float(means_q.mean()) for means_q in kinds], bounds, 0.0, 1.0)


def compare_stratified(
    a_kq: Sequence[ArrayLike],
    b_kq: Sequence[ArrayLike],
    *,
    exact: bool,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Paired:
    """``b`` minus ``a`` on the same questions, kind by kind; every kind counts alike.

    ``exact``: every score is 0 or 1. The interval combines the kinds' own: Newcombe's if
    ``exact``, else ``intervals.bounded_mean``'s of the differences. The p value is
    ``sign_flip``'s.
    """
    a_kinds, b_kinds = _values(a_kq), _values(b_kq)
    gains = [b_q - a_q for a_q, b_q in zip(a_kinds, b_kinds, strict=True)]
    total = sum(gain.size for gain in gains)
    # Makes the plain mean over questions equal the mean over kinds.
    weighted = np.concatenate([gain * (total / (len(gains) * gain.size)) for gain in gains])
    if exact:
        bounds = [
            compare_single(a_q, b_q, confidence).interval
            for a_q, b_q in zip(a_kinds, b_kinds, strict=True)
        ]
    else:
        bounds = [
            bounded_mean(gain, -1.0, 1.0, resamples=resamples, rng=rng, confidence=confidence)
            for gain, rng in zip(gains, _streams(seed), strict=False)
        ]
    return Paired(
        n=total,
        difference=float(weighted.mean()),
        interval=_together([float(gain.mean()) for gain in gains], bounds, -1.0, 1.0),
        p_value=sign_flip(weighted, resamples, seed),
        test="paired sign-flip permutation, kinds weighted alike",
        won=int((weighted > 0).sum()),
        lost=int((weighted < 0).sum()),
    )


def _together(
    means_k: Sequence[float], bounds_k: Sequence[Interval], lowest: float, highest: float
) -> Interval:
    """Combine the intervals of independent means into that of their mean."""
    kinds = len(means_k)
    mean = sum(means_k) / kinds
    pairs = list(zip(means_k, bounds_k, strict=True))
    below = sqrt(sum((value - bounds.low) ** 2 for value, bounds in pairs)) / kinds
    above = sqrt(sum((bounds.high - value) ** 2 for value, bounds in pairs)) / kinds
    return Interval(max(mean - below, lowest), min(mean + above, highest))


def _streams(seed: int) -> Iterator[np.random.Generator]:
    """One random stream per kind."""
    number = 0
    while True:
        yield np.random.default_rng([seed, 2, number])
        number += 1


def _values(values_kq: Sequence[ArrayLike]) -> list[Floats]:
    kinds = [np.asarray(values_q, np.float64) for values_q in values_kq]
    _some([values.size for values in kinds])
    return kinds


def _some(n_k: Sequence[int]) -> None:
    if not n_k or min(n_k) < 1:
        raise ValueError(f"every kind needs a question, got {list(n_k)}")
