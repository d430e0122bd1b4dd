"""The files of ``scores_<benchmark>``: ``scores.json`` and ``graded.jsonl``. Scores are shares,
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

    #: Questions, and how often they were put: HR-Bench puts each in four turns of its options.
    n: int
    asked: int
    score: Estimate
    rapr: float
    op_error_rate: float


class ReadBy(Record):
    """The answers read by one rule of the grader (``grader.ReadingRule``)."""

    #: Their share of all answers, and their mean score.
    share: float
    score: float


class RowScore(Record):
    """The score of one row of ``workflow.table.rows_of`` on one benchmark."""

    row: str
    model: str
    operations_offered: bool
    #: As in ``KindScore``.
    n: int
    asked: int
    #: The headline: over questions, or the mean over kinds for some benchmarks.
    score: Estimate
    #: Share of rollouts with an executed operation; failed over attempted calls; executed
    #: operations a question.
    rapr: float
    op_error_rate: float
    operations: float
    #: Shares of rollouts: cut by the token limit; ended without a boxed answer, for any
    #: reason (a grader may still find one in the text).
    truncated: float
    unanswered: float
    #: The graded answers by the rule that read them; rules that read none are omitted.
    #: "none": no answer was found.
    read: dict[ReadingRule, ReadBy]
    #: Sampled tokens a rollout.
    tokens: float
    by: dict[str, KindScore]
    #: The probe before an operation's return; None: not run, or no episode had an operation.
    probe: Probe | None = None


class Probe(Record):
    """Episodes with an operation, also answered before its return was seen (defined in
    ``rollout.probe``)."""

    #: Episodes.
    n: int
    #: Their score then, their score at the end, and the difference (after minus before); over
    #: their questions, paired.
    before: float
    after: float
    gain: Estimate


class ToolEffect(Record):
    """A model with operations against itself without, paired by question.

    Gain: questions right only with operations; harm: questions right only without them; both
    as shares of all questions. A graded score (ANLS), or the mean of several answers, counts
    as right from 0.5; each turn of a question counts as a part of it. ``model``: the row with
    operations.
    """

    model: str
    n: int
    gain: Estimate
    harm: Estimate
    #: Score with operations minus score without.
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
    #: Questions on which ``b`` is better, and worse, in the benchmark's order: ids; of a
    #: question with several turns, the first that shows it.
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
    """``settings``: the printed block of everything that changes scores (pixel budgets,
    frames, prompt, decoding, limits, grader), by row where rows differ. ``data``:
    ``benchmark.json``."""

    benchmark: str
    title: str
    metric: str
    grader: str
    rows: tuple[RowScore, ...]
    tools: tuple[ToolEffect, ...]
    pairs: tuple[PairScore, ...]
    settings: dict[str, Any]
    data: dict[str, Any]
    #: Expression comparisons that did not finish, by the reason. They count as wrong, and a
    #: slower machine may have more.
    undecided: dict[str, int]


RowScore.model_rebuild()
