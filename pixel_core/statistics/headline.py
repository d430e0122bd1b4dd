"""A benchmark's headline number, from its questions' scores: its interval and tests.

Legend: q question, in the benchmark's order; a question's score is the mean of its answers'.
The method depends on the benchmark, so that all its rows are measured alike:

- one answer a question, each right or wrong: Wilson's interval; for a difference Newcombe's,
  and McNemar's exact test;
- graded scores (ANLS), or several answers: bootstrap over questions; sign-flip permutation;
- a headline that is the mean over kinds: the same intervals of each kind, put together
  (``strata.py``), and for a difference the sign-flip permutation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pixel_core.statistics.intervals import Floats, Interval, cluster_bootstrap, wilson
from pixel_core.statistics.metrics import IntervalSettings
from pixel_core.statistics.paired import Paired, compare_sampled, compare_single
from pixel_core.statistics.strata import (
    compare_stratified,
    mean_of_shares,
    stratified_bootstrap,
)

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Headline:
    """``exact``: one answer a question, by a grader that gives only 0 and 1; decided by that,
    not by the scores, or another row could change this row's interval. ``kinds``: the indices
    of each kind's questions if every kind counts alike; () if every question does."""

    exact: bool
    sampling: IntervalSettings
    kinds: tuple[Places, ...] = ()

    @property
    def over_questions(self) -> Headline:
        """The same with every question counting alike: within one kind, or for a share."""
        return replace(self, kinds=())

    def value(self, scores_q: Floats) -> float:
        if not self.kinds:
            return float(scores_q.mean())
        return float(np.mean([scores_q[places].mean() for places in self.kinds]))

    def interval(self, scores_q: Floats) -> Interval:
        sampling = self.sampling
        drawn = {"resamples": sampling.resamples, "seed": sampling.seed}
        if not self.kinds:
            if self.exact:
                return wilson(int(scores_q.sum()), scores_q.size, sampling.confidence)
            return cluster_bootstrap(scores_q, confidence=sampling.confidence, **drawn)
        parts = self._parts(scores_q)
        if self.exact:
            right = [int(part.sum()) for part in parts]
            return mean_of_shares(right, [part.size for part in parts], sampling.confidence)
        return stratified_bootstrap(parts, confidence=sampling.confidence, **drawn)

    def compare(self, a_q: Floats, b_q: Floats) -> Paired:
        """``b`` minus ``a``, paired by question."""
        sampling = self.sampling
        drawn = {"resamples": sampling.resamples, "seed": sampling.seed}
        if self.kinds:
            a_kq, b_kq = self._parts(a_q), self._parts(b_q)
            return compare_stratified(
                a_kq, b_kq, exact=self.exact, confidence=sampling.confidence, **drawn
            )
        if self.exact:
            return compare_single(a_q, b_q, sampling.confidence)
        return compare_sampled(a_q, b_q, confidence=sampling.confidence, **drawn)

    def _parts(self, scores_q: Floats) -> Sequence[Floats]:
        return [scores_q[places] for places in self.kinds]
