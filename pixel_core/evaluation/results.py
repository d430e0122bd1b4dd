"""What ``scores_<benchmark>`` holds: ``scores.json`` and ``graded.jsonl``. Scores are shares,
from 0 to 1."""

from __future__ import annotations

from typing import Any

from pixel_core.records import Record
from pixel_core.rewards.graders.grader import ReadingRule


class Estimate(Record):
    """A value with the interval that ``settings.confidence`` names (95 %)."""

    value: float
    low: float
    high: float


class KindScore(Record):
    """One kind of question: a benchmark's category, or MVBench's task."""

    #: Questions, and how often they were put: of HR-Bench each in four turns of its options.
    n: int
    asked: int
    score: Estimate
    rapr: float
    op_error_rate: float


class ReadBy(Record):
    """The answers that one rule of the grader read (``rewards.graders.grader.Rule``)."""

    #: Their share of all answers, and their mean score.
    share: float
    score: float


class RowScore(Record):
    """How one row of ``benchmark_stages.rows_of`` did on one benchmark."""

    row: str
    model: str
    operations_offered: bool
    #: As in ``KindScore``.
    n: int
    asked: int
    #: The headline: over questions, or the mean of kinds where the benchmark says so.
    score: Estimate
    #: Share of rollouts with an executed operation; failed over attempted calls; executed
    #: operations a question.
    rapr: float
    op_error_rate: float
    operations: float
    #: Shares of rollouts: cut by the token limit; ended without a boxed answer, for any
    #: reason (a grader may still find one in the words).
    truncated: float
    unanswered: float
    #: By the rule that read it, the answers that were graded; rules that read none are left
    #: out. "none": no answer was found.
    read: dict[ReadingRule, ReadBy]
    #: Sampled tokens a rollout.
    tokens: float
    by: dict[str, KindScore]
    #: Answers asked for before an operation's return was seen; None: not asked, or no episode
    #: had an operation.
    probe: Probe | None = None


class Probe(Record):
    """Episodes with an operation, answered once more before its return was seen (what that
    means exactly: ``dialogue.before_looking``)."""

    #: Episodes.
    n: int
    #: Their score then, as it ended, and the difference (after minus before); over their
    #: questions, each paired with itself.
    before: float
    after: float
    gain: Estimate


class ToolEffect(Record):
    """A model with operations against itself without, paired by question.

    Gain: questions that only operations get right; harm: that operations get wrong and the
    model alone right; both as shares of all questions. A graded score (ANLS), or the mean of
    several answers, counts as right from 0.5; of a question's turns each counts as a part.
    ``model``: the row with operations.
    """

    model: str
    n: int
    gain: Estimate
    harm: Estimate
    #: Difference of the scores, with minus without.
    difference: Estimate
    p_value: float


class PairScore(Record):
    """``b`` against ``a`` on the same questions."""

    a: str
    b: str
    n: int
    difference: Estimate
    p_value: float
    test: str
    #: Questions that ``b`` got better, and worse, in the benchmark's order: ids, of a question
    #: with several turns the first that shows it.
    won: tuple[str, ...]
    lost: tuple[str, ...]


class GradedAnswer(Record):
    """A line of ``graded.jsonl``: one answer, its score, and the rule that read it."""

    row: str
    query_id: str
    sample: int
    score: float
    rule: ReadingRule


class BenchmarkResult(Record):
    """``settings``: the printed block: all that changes scores (pixel budgets, frames, prompt,
    decoding, limits, grader), by row where rows differ. ``data``: ``benchmark.json``."""

    benchmark: str
    title: str
    metric: str
    grader: str
    rows: tuple[RowScore, ...]
    tools: tuple[ToolEffect, ...]
    pairs: tuple[PairScore, ...]
    settings: dict[str, Any]
    data: dict[str, Any]
    #: Comparisons of expressions that came to no end, by the reason. They count as wrong, and
    #: a slower machine may have more of them.
    undecided: dict[str, int]


RowScore.model_rebuild()
