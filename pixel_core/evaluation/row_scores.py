"""What one row is said to have scored, in all and kind by kind, and before it looked."""

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

# Rows graded: a score for every answer, from 0 to 1, and for every question.
#
# Graded anew from the kept trajectories each time, whatever the answers were taken for when
# they were made.


#: Answers graded between two progress updates: a slow grader does some a second.
_TOLD_EVERY = 200

#: A question's id and a sample's number.
Place = tuple[str, int]


@dataclass(frozen=True)
class GradedRow:
    """``scores_r``: of each row of questions, the mean of its answers'; ``scores_q``: of each
    question, the mean of its rows'. ``scores``: an answer's, with the rule that read it;
    ``before``: of the probe, None where it was not asked for."""

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
    """All rows by one grader, told as it goes on."""
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


# Rows beside each other, question by question: who beats whom, and what operations do.


#: A question's score counts as right from here, where right and wrong are asked for.
RIGHT = 0.5


def pair_scores(
    rows: Sequence[GradedRow], headline: Headline, questions: AskedQuestions
) -> tuple[PairScore, ...]:
    """Every row with every later one, which is ``b``."""
    return tuple(_pair(a, b, headline, questions) for a, b in combinations(rows, 2))


def tool_effects(
    rows: Sequence[GradedRow], headline: Headline, questions: AskedQuestions
) -> tuple[ToolEffect, ...]:
    """Of every model that answered with operations and without."""
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
    """The questions that ``b`` got better, each by the id of its first row that shows it."""
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
    # A share of questions, of whatever scores: gained is yes or no, but for several turns.
    share = replace(headline.over_questions, exact=not questions.turned)
    return ToolEffect(
        model=row.name,
        n=pair.n,
        gain=estimate(share, questions.means(right & ~right_alone)),
        harm=estimate(share, questions.means(right_alone & ~right)),
        difference=difference(pair),
        p_value=pair.p_value,
    )
