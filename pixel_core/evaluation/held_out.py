"""Scores of the three models on the same held-out questions, and their differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pixel_core.errors import DataError
from pixel_core.records import Query, Rollout, Score, Split
from pixel_core.statistics.answer_sets import AnswerSet, read_answers, same_questions
from pixel_core.statistics.metrics import (
    IntervalSettings,
    accuracy_interval,
    by_kind,
    kinds_of,
    question_means,
    summarize,
)
from pixel_core.statistics.paired import Paired, compare_sampled, compare_single
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.table import MODELS

# Preflight: finds what would stop the evaluation before any model is trained for it.


def check_test_questions(ingest: Mapping[str, Any]) -> None:
    """``DataError`` if the ingest artifact (its metrics) has no test questions."""
    splits = ingest["by_split"]
    if not splits[Split.TEST]:
        raise DataError(
            f"there is no test question to evaluate a model on among {ingest['seeds']} seeds "
            f"({', '.join(f'{name}: {n}' for name, n in splits.items())}): name a source that "
            "has some in ingest.sources, or raise the test count or share of the one in use; "
            "to make only what needs none, end the run earlier, such as with --until rl"
        )


#: (a, b) compares b against a.
PAIRS = (("base", "warm_start"), ("warm_start", "policy"), ("base", "policy"))
DECODINGS = ("greedy", "sampled")

Answers = Mapping[str, Sequence[Rollout]]


def compare(
    queries: Sequence[Query], a: Answers, b: Answers, decoding: str, sampling: IntervalSettings
) -> dict[str, Any]:
    """``b`` against ``a`` on the same questions, over all of them and by kind."""

    def pair(names: Sequence[str]) -> Paired:
        means_a = question_means({name: a[name] for name in names})
        means_b = question_means({name: b[name] for name in names})
        if decoding == "greedy":
            return compare_single(means_a, means_b, sampling.confidence)
        return compare_sampled(
            means_a,
            means_b,
            resamples=sampling.resamples,
            seed=sampling.seed,
            confidence=sampling.confidence,
        )

    row = _comparison_row(pair([query.id for query in queries]))
    row["by"] = {
        kind: _comparison_row(pair(names)) for kind, names in kinds_of(queries).items()
    }
    return row


def run(context: StageContext) -> dict[str, Any]:
    """The stage: ``answers_<model>`` folders in, ``scores.json`` out.

    Raises ``DataError`` for an empty benchmark, missing answers, and models that answered
    different questions or a different number of times.
    """
    config = context.config.evaluate
    sampling = IntervalSettings(config.confidence, config.resamples, config.seed)
    sets = {model: read_answers(context.inputs[f"answers_{model}"]) for model in MODELS}
    queries = same_questions(sets)

    scores: list[Score] = []
    for model, answered in sets.items():
        for decoding in DECODINGS:
            scores.append(_score(config.benchmark, model, decoding, answered, sampling))
        context.progress.update(len(scores), len(MODELS) * len(DECODINGS))
    comparisons = [
        {"a": a, "b": b, "decoding": decoding}
        | compare(
            queries, sets[a].answers[decoding], sets[b].answers[decoding], decoding, sampling
        )
        for a, b in PAIRS
        for decoding in DECODINGS
    ]
    result = {
        "scores": [score.model_dump(mode="json") for score in scores],
        "comparisons": comparisons,
        "settings": {
            "benchmark": config.benchmark,
            "questions": len(queries),
            **asdict(sampling),
            "answers": {model: answered.settings for model, answered in sets.items()},
        },
        "episodes": {
            model: {
                decoding: asdict(summarize([r for g in answers.values() for r in g]))
                for decoding, answers in answered.answers.items()
            }
            for model, answered in sets.items()
        },
    }
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    (context.out / "scores.json").write_text(text + "\n", encoding="utf-8")
    return _metrics(len(queries), scores, comparisons)


def _score(
    benchmark: str, model: str, decoding: str, answered: AnswerSet, sampling: IntervalSettings
) -> Score:
    answers = answered.answers[decoding]
    summary = summarize([rollout for group in answers.values() for rollout in group])
    interval = accuracy_interval(answers, sampling)
    return Score(
        benchmark=benchmark,
        model=model,
        decoding=decoding,
        n=len(answers),
        accuracy=summary.accuracy,
        low=interval.low,
        high=interval.high,
        rapr=summary.rapr,
        op_error_rate=summary.op_error_rate,
        by=by_kind(answered.queries, answers, sampling),
    )


def _comparison_row(pair: Paired) -> dict[str, Any]:
    return {
        "n": pair.n,
        "difference": pair.difference,
        "low": pair.interval.low,
        "high": pair.interval.high,
        "p_value": pair.p_value,
        "test": pair.test,
        "won": pair.won,
        "lost": pair.lost,
    }


def _metrics(
    questions: int, scores: Sequence[Score], comparisons: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    metrics: dict[str, Any] = {"questions": questions}
    for score in scores:
        metrics[f"{score.model}_{score.decoding}"] = score.accuracy
    for score in scores:
        if score.decoding == "sampled":
            metrics[f"{score.model}_rapr"] = score.rapr
    for row in comparisons:
        if (row["a"], row["b"]) == ("warm_start", "policy"):
            metrics[f"policy_gain_{row['decoding']}"] = row["difference"]
            metrics[f"policy_gain_{row['decoding']}_p"] = row["p_value"]
    return metrics
