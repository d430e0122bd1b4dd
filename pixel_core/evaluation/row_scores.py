"""What one row is said to have scored, in all and kind by kind, and before it looked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from pixel_core.evaluation.asked_questions import AskedQuestions
from pixel_core.evaluation.graded_rows import GradedRow
from pixel_core.evaluation.results import Estimate, KindScore, Probe, ReadBy, RowScore
from pixel_core.records import Rollout, StopReason
from pixel_core.rewards.graders.grader import Grade, ReadingRule
from pixel_core.statistics.headline import Headline
from pixel_core.statistics.intervals import Floats, Interval
from pixel_core.statistics.metrics import summarize
from pixel_core.statistics.paired import Paired


def row_score(row: GradedRow, headline: Headline, questions: AskedQuestions) -> RowScore:
    asked, rollouts = row.answers, row.answers.rollouts
    summary = summarize(rollouts)
    groups = list(asked.answers.values())
    by = {}
    for kind, places in questions.kinds.items():
        put = [place for question in places for place in questions.turns[question]]
        part = summarize([rollout for place in put for rollout in groups[place]])
        by[kind] = KindScore(
            n=len(places),
            asked=len(put),
            score=estimate(headline.over_questions, row.scores_q[places]),
            rapr=part.rapr,
            op_error_rate=part.op_error_rate,
        )
    return RowScore(
        row=row.name,
        model=asked.row.endpoint or asked.row.model,
        operations_offered=asked.row.operations,
        n=len(questions.turns),
        asked=len(groups),
        score=estimate(headline, row.scores_q),
        rapr=summary.rapr,
        op_error_rate=summary.op_error_rate,
        operations=summary.operations,
        truncated=summary.truncated,
        unanswered=_unanswered(rollouts),
        read=read_by(row.scores.values()),
        tokens=summary.tokens,
        by=by,
        probe=probe_score(row, headline.over_questions, questions),
    )


def read_by(scores: Collection[Grade]) -> dict[ReadingRule, ReadBy]:
    """By rule, the share of answers that it read and their mean score, in the rules' order."""
    found: dict[ReadingRule, list[float]] = {rule: [] for rule in ReadingRule}
    for score in scores:
        found[score.rule].append(score)
    return {
        rule: ReadBy(share=len(part) / len(scores), score=float(np.mean(part)))
        for rule, part in found.items()
        if part
    }


def probe_score(row: GradedRow, headline: Headline, questions: AskedQuestions) -> Probe | None:
    """The row's episodes with an operation, before the first look and as they ended. Every
    question counts alike, also where the headline's kinds do: not all of them were probed."""
    if not row.before:
        return None
    of_row = questions.of_row
    after: dict[int, list[float]] = {}
    before: dict[int, list[float]] = {}
    for (name, sample), score in row.before.items():
        before.setdefault(of_row[name], []).append(score)
        after.setdefault(of_row[name], []).append(row.scores[name, sample])
    means = [np.array([np.mean(part) for part in one.values()]) for one in (before, after)]
    return Probe(
        n=len(row.before),
        before=float(means[0].mean()),
        after=float(means[1].mean()),
        gain=difference(headline.compare(*means)),
    )


def estimate(headline: Headline, scores_q: Floats) -> Estimate:
    return estimated(headline.value(scores_q), headline.interval(scores_q))


def difference(pair: Paired) -> Estimate:
    return estimated(pair.difference, pair.interval)


def estimated(value: float, interval: Interval) -> Estimate:
    return Estimate(value=value, low=interval.low, high=interval.high)


def _unanswered(rollouts: Sequence[Rollout]) -> float:
    answered = (one.stop is StopReason.ANSWERED and bool(one.answer) for one in rollouts)
    return sum(not one for one in answered) / len(rollouts)
