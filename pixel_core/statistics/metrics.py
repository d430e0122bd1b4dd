"""Statistics of a set of rollouts: accuracy, use of operations, errors, stop reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixel_core.errors import DataError
from pixel_core.records import Query, Rollout, StopReason
from pixel_core.statistics.intervals import Interval, cluster_bootstrap, wilson


@dataclass(frozen=True)
class RolloutSummary:
    """Rates over all rollouts given. Tokens and operations are means per rollout."""

    rollouts: int
    accuracy: float
    #: Rate of pixel-space reasoning: share of rollouts with at least one executed operation.
    rapr: float
    #: Failed calls over attempted calls; 0 when nothing was attempted.
    op_error_rate: float
    truncated: float
    operations: float
    tokens: float
    stops: dict[str, int]


@dataclass(frozen=True)
class IntervalSettings:
    """Interval settings; ``resamples`` and ``seed`` matter for sampled answers."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


def summarize(rollouts: Sequence[Rollout]) -> RolloutSummary:
    """Rates over the rollouts; ``ValueError`` when there are none."""
    if not rollouts:
        raise ValueError("nothing to summarize: there are no rollouts")
    count = len(rollouts)
    executed = sum(rollout.operations for rollout in rollouts)
    failed = sum(rollout.failed_operations for rollout in rollouts)
    stops = Counter(rollout.stop for rollout in rollouts)
    return RolloutSummary(
        rollouts=count,
        accuracy=sum(rollout.correct for rollout in rollouts) / count,
        rapr=sum(rollout.operations > 0 for rollout in rollouts) / count,
        op_error_rate=failed / (executed + failed) if executed + failed else 0.0,
        truncated=stops[StopReason.TRUNCATED] / count,
        operations=executed / count,
        tokens=sum(rollout.tokens for rollout in rollouts) / count,
        stops={reason.value: stops[reason] for reason in StopReason if stops[reason]},
    )


def by_question(
    queries: Sequence[Query], rollouts: Sequence[Rollout], samples: int, where: str
) -> dict[str, list[Rollout]]:
    """Rollouts of each query, in the queries' order, ``samples`` of them each.

    ``DataError`` naming ``where`` and the question if an answer is missing, duplicated, or
    belongs to no question.
    """
    answers: dict[str, dict[int, Rollout]] = {query.id: {} for query in queries}
    for rollout in rollouts:
        if rollout.query_id not in answers:
            raise DataError(f"{where}: an answer to {rollout.query_id!r}, which is not asked")
        if rollout.sample in answers[rollout.query_id]:
            raise DataError(
                f"{where}: sample {rollout.sample} of {rollout.query_id!r} is there twice"
            )
        answers[rollout.query_id][rollout.sample] = rollout
    for name, found in answers.items():
        if len(found) != samples:
            raise DataError(
                f"{where}: {len(found)} answers to {name!r} where {samples} are needed; "
                "answer the benchmark again"
            )
    return {name: [found[s] for s in sorted(found)] for name, found in answers.items()}


def question_means(answers: Mapping[str, Sequence[Rollout]]) -> NDArray[np.float64]:
    """Each question's share of right answers, (q,), in the mapping's order."""
    return np.array(
        [sum(rollout.correct for rollout in group) / len(group) for group in answers.values()]
    )


def accuracy_interval(
    answers: Mapping[str, Sequence[Rollout]], sampling: IntervalSettings
) -> Interval:
    """Wilson for one answer a question, else the cluster bootstrap over questions."""
    means = question_means(answers)
    if all(len(group) == 1 for group in answers.values()):
        return wilson(int(means.sum()), means.size, sampling.confidence)
    return cluster_bootstrap(
        means,
        resamples=sampling.resamples,
        seed=sampling.seed,
        confidence=sampling.confidence,
    )


def kinds_of(queries: Sequence[Query]) -> dict[str, list[str]]:
    """Question ids of each kind, kinds in alphabetical order; "" is called ``other``."""
    kinds: dict[str, list[str]] = {}
    for query in queries:
        kinds.setdefault(query.kind or "other", []).append(query.id)
    return dict(sorted(kinds.items()))


def by_kind(
    queries: Sequence[Query],
    answers: Mapping[str, Sequence[Rollout]],
    sampling: IntervalSettings,
) -> dict[str, dict[str, float]]:
    """For every question kind: n (questions), accuracy, low, high, rapr, op_error_rate."""
    rows = {}
    for kind, names in kinds_of(queries).items():
        part = {name: answers[name] for name in names}
        summary = summarize([rollout for group in part.values() for rollout in group])
        interval = accuracy_interval(part, sampling)
        rows[kind] = {
            "n": len(names),
            "accuracy": summary.accuracy,
            "low": interval.low,
            "high": interval.high,
            "rapr": summary.rapr,
            "op_error_rate": summary.op_error_rate,
        }
    return rows
