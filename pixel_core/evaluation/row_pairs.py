"""Rows beside each other, question by question: who beats whom, and what operations do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from pixel_core.evaluation.asked_questions import AskedQuestions
from pixel_core.evaluation.graded_rows import GradedRow
from pixel_core.evaluation.results import PairScore, ToolEffect
from pixel_core.evaluation.row_scores import difference, estimate
from pixel_core.statistics.headline import Headline

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
