"""Rates counted from small, hand-made sets of rollouts."""

from __future__ import annotations

import pytest

from pixel_core.errors import DataError
from pixel_core.records import Picture, Query, Rollout, StopReason
from pixel_core.statistics.metrics import (
    IntervalSettings,
    accuracy_interval,
    by_kind,
    by_question,
    question_means,
    summarize,
)

PICTURE = Picture(member="a.png", width=10, height=10, sha256="0" * 64)


def query(name: str, kind: str = "") -> Query:
    return Query(id=name, question="?", pictures=(PICTURE,), answers=("7",), kind=kind)


def rollout(name: str, sample: int = 0, correct: bool = True, **values) -> Rollout:
    fields = {"stop": StopReason.ANSWERED, "operations": 0, "failed_operations": 0}
    return Rollout(
        query_id=name,
        sample=sample,
        steps=(),
        answer="7",
        correct=correct,
        tokens=10,
        **fields | values,
    )


def test_rates_are_counted_over_rollouts_and_calls() -> None:
    summary = summarize(
        [
            rollout("a", operations=2, failed_operations=1),
            rollout("b", correct=False, failed_operations=2),
            rollout("c", correct=False, stop=StopReason.TRUNCATED),
            rollout("d", operations=1),
        ]
    )
    assert summary.accuracy == 0.5
    assert summary.rapr == 0.5, "two failed calls are no use of an operation"
    assert summary.op_error_rate == 3 / 6
    assert summary.truncated == 0.25
    assert summary.operations == 0.75
    assert summary.tokens == 10
    assert summary.stops == {"answered": 3, "truncated": 1}


def test_no_call_is_no_error() -> None:
    assert summarize([rollout("a")]).op_error_rate == 0.0


def test_nothing_to_summarize_is_refused() -> None:
    with pytest.raises(ValueError, match="no rollouts"):
        summarize([])


def test_kinds_are_scored_apart() -> None:
    queries = [query("a", "small"), query("b", "small"), query("c", "big"), query("d")]
    answers = {
        "a": [rollout("a", operations=1)],
        "b": [rollout("b", correct=False)],
        "c": [rollout("c")],
        "d": [rollout("d", failed_operations=1)],
    }
    rows = by_kind(queries, answers, IntervalSettings())
    assert list(rows) == ["big", "other", "small"]
    assert rows["small"]["n"] == 2
    assert rows["small"]["accuracy"] == 0.5
    assert rows["small"]["rapr"] == 0.5
    assert rows["other"]["op_error_rate"] == 1.0
    assert rows["big"]["low"] < 1.0 == rows["big"]["high"]


def test_several_answers_to_a_question_do_not_narrow_the_interval() -> None:
    names = [f"q{n}" for n in range(40)]
    once = {n: [rollout(n, correct=i % 2 == 0)] for i, n in enumerate(names)}
    often = {
        n: [rollout(n, s, correct=i % 2 == 0) for s in range(8)] for i, n in enumerate(names)
    }
    single, several = (accuracy_interval(a, IntervalSettings()) for a in (once, often))
    assert several.high - several.low == pytest.approx(single.high - single.low, rel=0.15)


def test_answers_are_gathered_in_the_questions_order() -> None:
    rollouts = [rollout("b", 1, False), rollout("a", 0), rollout("b", 0), rollout("a", 1)]
    answers = by_question([query("a"), query("b")], rollouts, 2, "here")
    assert [r.sample for r in answers["b"]] == [0, 1]
    assert question_means(answers).tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("rollouts", "complaint"),
    [
        ([rollout("a")], "0 answers to 'b' where 1"),
        ([rollout("a"), rollout("a")], "sample 0 of 'a' is there twice"),
        ([rollout("a"), rollout("z")], "'z', which is not asked"),
        ([rollout("a"), rollout("a", 1), rollout("b")], "2 answers to 'a' where 1"),
    ],
)
def test_missing_doubled_and_stray_answers_are_refused(rollouts, complaint) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        by_question([query("a"), query("b")], rollouts, 1, "greedy.jsonl")
    assert "greedy.jsonl" in str(caught.value)
