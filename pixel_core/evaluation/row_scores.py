"""One row's scores: overall, by kind, and before an operation's return."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pixel_core.evaluation.results import (
    Estimate,
    KindScore,
    PairScore,
    Probe,
    ReadBy,
    RowScore,
    ToolEffect,
)
from pixel_core.evaluation.row_answers import AskedQuestions, RowAnswers
from pixel_core.records import Rollout, StopReason
from pixel_core.rewards.graders.grader import Grade, Grader, ReadingRule
from pixel_core.statistics.headline import Headline
from pixel_core.statistics.intervals import Floats, Interval
from pixel_core.statistics.metrics import summarize
from pixel_core.statistics.paired import Paired
from pixel_core.workflow.stage import Progress

# Graded rows: a score from 0 to 1 for every answer and every question.
#
# Graded anew from the stored trajectories each time, whatever grade they had when they were
# made.


#: Answers graded between two progress reports: a slow grader does a few a second.
_TOLD_EVERY = 200

#: A question's id and a sample's number.
Place = tuple[str, int]


@dataclass(frozen=True)
class GradedRow:
    """``scores_r``: of each row of questions, the mean over its answers; ``scores_q``: of each
    question, the mean over its rows. ``scores``: each answer's, with the rule that read it;
    ``before``: the probe's, None if it was not run."""

    answers: RowAnswers
    scores_r: Floats
    scores_q: Floats
    scores: Mapping[Place, Grade]
    before: Mapping[Place, Grade] | None

    @property
    def name(self) -> str:
        return self.answers.row.name


def grade_rows(
    rows: Sequence[RowAnswers], questions: AskedQuestions, grader: Grader, progress: Progress
) -> list[GradedRow]:
    """Grade all rows with one grader, reporting progress."""
    asked = {query.id: query for query in questions.queries}
    total = sum(len(row.rollouts) + len(row.probe or ()) for row in rows)
    done = 0

    def graded(rollouts: Sequence[Rollout]) -> dict[Place, Grade]:
        nonlocal done
        scores = {}
        for rollout in rollouts:
            scores[rollout.query_id, rollout.sample] = grader(asked[rollout.query_id], rollout)
            done += 1
            if done % _TOLD_EVERY == 0 or done == total:
                progress.update(done, total)
        return scores

    found = []
    for row in rows:
        scores = graded(row.rollouts)
        scores_r = np.array(
            [
                np.mean([scores[name, rollout.sample] for rollout in group])
                for name, group in row.answers.items()
            ]
        )
        before = None if row.probe is None else graded(row.probe)
        found.append(GradedRow(row, scores_r, questions.means(scores_r), scores, before))
    return found


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
    """By rule, the share of answers it read and their mean score, in the rules' order."""
    found: dict[ReadingRule, list[float]] = {rule: [] for rule in ReadingRule}
    for score in scores:
        found[score.rule].append(score)
    return {
        rule: ReadBy(share=len(part) / len(scores), score=float(np.mean(part)))
        for rule, part in found.items()
        if part
    }


def probe_score(row: GradedRow, headline: Headline, questions: AskedQuestions) -> Probe | None:
    """The row's episodes with an operation, before its first return and at the end. Every
    question counts alike, even if the headline weighs kinds: not all were probed."""
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


# Rows compared question by question: which row is better, and the effect of operations.


#: A question's score counts as right from here, where only right or wrong matters.
RIGHT = 0.5


def pair_scores(
    rows: Sequence[GradedRow], headline: Headline, questions: AskedQuestions
) -> tuple[PairScore, ...]:
    """Every row against every later one, which is ``b``."""
    return tuple(_pair(a, b, headline, questions) for a, b in combinations(rows, 2))


def tool_effects(
    rows: Sequence[GradedRow], headline: Headline, questions: AskedQuestions
) -> tuple[ToolEffect, ...]:
    """For every model that answered both with and without operations."""
    without = {
        (row.answers.row.model, row.answers.row.endpoint): row
        for row in rows
        if not row.answers.row.operations
    }
    return tuple(
        _effect(row, without[of], headline, questions)
        for row in rows
        if row.answers.row.operations
        and (of := (row.answers.row.model, row.answers.row.endpoint)) in without
    )


def _pair(
    a: GradedRow, b: GradedRow, headline: Headline, questions: AskedQuestions
) -> PairScore:
    pair = headline.compare(a.scores_q, b.scores_q)
    return PairScore(
        a=a.name,
        b=b.name,
        n=pair.n,
        difference=difference(pair),
        p_value=pair.p_value,
        test=pair.test,
        won=_better(a, b, questions),
        lost=_better(b, a, questions),
    )


def _better(a: GradedRow, b: GradedRow, questions: AskedQuestions) -> tuple[str, ...]:
    """Questions on which ``b`` is better, each by the id of its first row that shows it."""
    return tuple(
        next(questions.queries[r].id for r in rows if b.scores_r[r] > a.scores_r[r])
        for question, rows in enumerate(questions.turns)
        if b.scores_q[question] > a.scores_q[question]
    )


def _effect(
    row: GradedRow, alone: GradedRow, headline: Headline, questions: AskedQuestions
) -> ToolEffect:
    right, right_alone = row.scores_r >= RIGHT, alone.scores_r >= RIGHT
    pair = headline.compare(alone.scores_q, row.scores_q)
    # A share of questions, whatever the scores: yes or no each, except with several turns.
    share = replace(headline.over_questions, exact=not questions.turned)
    return ToolEffect(
        model=row.name,
        n=pair.n,
        gain=estimate(share, questions.means(right & ~right_alone)),
        harm=estimate(share, questions.means(right_alone & ~right)),
        difference=difference(pair),
        p_value=pair.p_value,
    )
