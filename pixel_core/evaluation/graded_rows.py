"""Rows graded: a score for every answer, from 0 to 1, and for every question.

Graded anew from the kept trajectories each time, whatever the answers were taken for when they
were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixel_core.evaluation.asked_questions import AskedQuestions
from pixel_core.evaluation.row_answers import RowAnswers
from pixel_core.records import Rollout
from pixel_core.rewards.graders.grader import Grade, Grader
from pixel_core.statistics.intervals import Floats
from pixel_core.workflow.stage import Progress

#: Answers graded between two words to whoever watches: a slow grader does some a second.
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
