"""The stages ``scores_<benchmark>``: all rows' scores, their uncertainty and comparisons.

Answers are graded anew from their stored trajectories, so that changing the grader or the
confidence only rescores and generates nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkName
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS, Benchmark
from pixel_core.evaluation.results import BenchmarkResult, GradedAnswer
from pixel_core.evaluation.row_answers import (
    AskedQuestions,
    asked_questions,
    read_row,
    same_samples,
)
from pixel_core.evaluation.row_scores import (
    GradedRow,
    grade_rows,
    pair_scores,
    row_score,
    tool_effects,
)
from pixel_core.evaluation.settings import settings_of_rows
from pixel_core.records import Split, write_jsonl
from pixel_core.rewards.graders.maths_judge import JUDGE, UNDECIDED
from pixel_core.rewards.graders.registry import GRADED, grader_of
from pixel_core.rollout.queries import read_queries
from pixel_core.statistics.headline import Headline
from pixel_core.statistics.metrics import IntervalSettings
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.table import answers_stage, questions_stage, rows_of


def run(context: StageContext, benchmark: BenchmarkName, rows: Sequence[str]) -> dict[str, Any]:
    """Write ``scores.json`` (``BenchmarkResult``), its rows in the order of ``rows``, and
    ``graded.jsonl``, a line an answer (``GradedAnswer``).

    Raises ``DataError`` for a benchmark without questions, and for a row that answered other
    questions, not all of them, or another number of times; ``StageFailed`` if a grader's
    external program is missing.
    """
    config, facts = context.config.benchmarks.scoring, BENCHMARKS[benchmark]
    folder = context.inputs[questions_stage(benchmark)]
    queries = read_queries(folder, Split.TEST)
    known = {row.name: row for row in rows_of(context.config)}
    answered = [
        read_row(context.inputs[answers_stage(benchmark, row)], row, queries)
        for row in map(known.__getitem__, rows)
    ]
    samples = same_samples(answered)
    grader_name, grader = grader_of(config.graders, facts.grader)
    questions = asked_questions(queries, facts.turns > 1)
    judged = Counter(JUDGE.counts)
    graded = grade_rows(answered, questions, grader, context.progress)
    undecided = Counter(JUDGE.counts) - judged

    sampling = IntervalSettings(config.confidence, config.resamples, config.seed)
    headline = Headline(
        exact=samples == 1 and grader_name not in GRADED and not questions.turned,
        sampling=sampling,
        kinds=tuple(questions.kinds.values()) if facts.mean_of_kinds else (),
    )
    result = BenchmarkResult(
        benchmark=benchmark,
        title=facts.title,
        metric=_metric(facts, config.graders),
        grader=grader_name,
        rows=tuple(row_score(row, headline, questions) for row in graded),
        tools=tool_effects(graded, headline, questions),
        pairs=pair_scores(graded, headline, questions),
        settings={
            "scoring": {
                "graders": config.graders,
                "grader": grader_name,
                "mean_of_kinds": facts.mean_of_kinds,
                **asdict(sampling),
            },
            **settings_of_rows(answered),
        },
        data=_data(folder / "benchmark.json"),
        undecided={
            verdict.value: undecided[verdict] for verdict in UNDECIDED if undecided[verdict]
        },
    )
    text = json.dumps(
        result.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False
    )
    (context.out / "scores.json").write_text(text + "\n", encoding="utf-8")
    write_jsonl(context.out / "graded.jsonl", _answers(graded))
    return _metrics(result, questions)


def _answers(rows: Sequence[GradedRow]) -> Iterator[GradedAnswer]:
    for row in rows:
        for (query_id, sample), score in row.scores.items():
            yield GradedAnswer(
                row=row.name,
                query_id=query_id,
                sample=sample,
                score=float(score),
                rule=score.rule,
            )


def _metric(facts: Benchmark, preset: str) -> str:
    """The published metric's name only for the published score; others name their rule."""
    if preset == "published":
        return facts.metric
    return {
        "upstream_code": "accuracy by the original's matcher",
        "strict": "accuracy by the strict rule",
    }[preset]


def _data(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} does not say what the benchmark is: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path} is no table of facts about the benchmark; prepare it again")
    return data


def _metrics(result: BenchmarkResult, questions: AskedQuestions) -> dict[str, Any]:
    metrics: dict[str, Any] = {"questions": len(questions.turns), "grader": result.grader}
    if questions.turned:
        metrics["asked"] = len(questions.queries)
    for row in result.rows:
        metrics[row.row] = row.score.value
        metrics[f"{row.row}_low"] = row.score.low
        metrics[f"{row.row}_high"] = row.score.high
    for effect in result.tools:
        metrics[f"{effect.model}_tool_gain"] = effect.gain.value
        metrics[f"{effect.model}_tool_harm"] = effect.harm.value
    return metrics
