"""A benchmark's result as scoring writes it, with numbers of a believable size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pixel_core.evaluation.benchmarks.facts import BenchmarkFacts, KeyPositions, KindCount
from pixel_core.evaluation.results import (
    BenchmarkResult,
    Estimate,
    KindScore,
    PairScore,
    Probe,
    ReadBy,
    RowScore,
    ToolEffect,
)
from pixel_core.rewards.graders.grader import ReadingRule
from pixel_core.workflow.table import ModelVariant

#: Right answers of each row, in the order of ``rows_of``, later ones better.
_SKILL = (0.52, 0.48, 0.71, 0.44, 0.86, 0.5)


def around(value: float, reach: float = 0.05) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))


def difference(value: float, reach: float = 0.06) -> Estimate:
    return Estimate(value=value, low=value - reach, high=value + reach)


def facts_of(benchmark: str, kinds: Mapping[str, int]) -> BenchmarkFacts:
    total = sum(kinds.values())
    return BenchmarkFacts(
        name=benchmark,
        title=benchmark,
        measures="Small objects in large photographs.",
        source="arXiv 2312.14135",
        layout="own",
        dataset="craigwu/vstar_bench",
        revision="d9ae62c903da0c98336e85c5ee89cd863b04b4da",
        content="0" * 64,
        licence="",
        grader="strict",
        metric="accuracy",
        mean_of_kinds=False,
        kinds={kind: KindCount(published=n, found=n, used=n) for kind, n in kinds.items()},
        published=total,
        found=total,
        used=total,
        pictures=total,
        complete=True,
        missing=(),
        faults={},
        limit=0,
        shuffle_seed=None,
        unshuffled=0,
        keys=KeyPositions(
            published={"A": total, "B": 0, "C": 0, "D": 0},
            put={"A": total, "B": 0, "C": 0, "D": 0},
        ),
    )


def result_of(
    benchmark: str,
    rows: Sequence[ModelVariant],
    *,
    title: str = "",
    kinds: Mapping[str, int] | None = None,
    won: Sequence[str] = (),
    lost: Sequence[str] = (),
    metric: str = "accuracy",
    facts: Mapping[str, Any] | None = None,
) -> BenchmarkResult:
    """``kinds``: questions of each. ``won``, ``lost``: the same for every pair of rows.
    ``facts``: what the benchmark's stage said differently."""
    kinds = kinds or {"direct_attributes": 115, "relative_position": 76}
    n = sum(kinds.values())
    scores = [
        RowScore(
            row=row.name,
            model=row.model,
            operations_offered=row.operations,
            n=n,
            asked=n,
            score=around(_SKILL[place % len(_SKILL)]),
            rapr=0.785 if row.operations else 0.0,
            op_error_rate=0.021 if row.operations else 0.0,
            operations=1.34 if row.operations else 0.0,
            truncated=0.012,
            unanswered=0.017,
            read={
                ReadingRule.BOX: ReadBy(share=0.9, score=0.5),
                ReadingRule.STATEMENT: ReadBy(share=0.06, score=0.5),
                ReadingRule.NONE: ReadBy(share=0.04, score=0.0),
            },
            tokens=312.4,
            by={
                kind: KindScore(
                    n=count,
                    asked=count,
                    score=around(_SKILL[place % len(_SKILL)] - 0.02 * number, 0.08),
                    rapr=0.7,
                    op_error_rate=0.02,
                )
                for number, (kind, count) in enumerate(kinds.items())
            },
            probe=Probe(n=149, before=0.46, after=0.86, gain=difference(0.4))
            if row.operations
            else None,
        )
        for place, row in enumerate(rows)
    ]
    return BenchmarkResult(
        benchmark=benchmark,
        title=title or benchmark,
        metric=metric,
        grader="strict",
        rows=tuple(scores),
        tools=tuple(
            ToolEffect(
                model=row.model,
                n=n,
                gain=around(0.31),
                harm=around(0.04, 0.02),
                difference=difference(0.27),
                p_value=3e-7,
            )
            for row in rows
            if row.operations and any(row.model == o.model and not o.operations for o in rows)
        ),
        pairs=tuple(
            PairScore(
                a=a.name,
                b=b.name,
                n=n,
                difference=difference(0.152),
                p_value=0.0011,
                test="exact McNemar",
                won=tuple(won),
                lost=tuple(lost),
            )
            for place, a in enumerate(rows)
            for b in rows[place + 1 :]
        ),
        settings={"dialogue": {"max_operations": 4}, "sampling": {"temperature": 0.0}},
        data={**facts_of(benchmark, kinds).model_dump(), **(facts or {})},
        undecided={},
    )
