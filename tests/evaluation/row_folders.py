"""Answers artifacts of a benchmark, written as the stages write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkName, PipelineConfig
from pixel_core.evaluation import scores as benchmark_scores
from pixel_core.records import (
    Picture,
    Provenance,
    Query,
    Rollout,
    Seed,
    Split,
    Step,
    StopReason,
    write_jsonl,
)
from pixel_core.workflow.stage import SilentProgress, StageContext, UnsharedNotes
from pixel_core.workflow.table import rows_of

PICTURE = Picture(member="a.png", width=10, height=10, sha256="0" * 64)
#: What a row answers to a question of this place, in this sample: the answer, operations
#: executed, and how it ended.
Says = Callable[[int, int], tuple[str, int, StopReason]]


def seeds(count: int, kinds: Sequence[str] = ("",), answer: str = "7") -> list[Seed]:
    return [
        Seed(
            id=f"q{place:03}",
            split=Split.TEST,
            question="which digit?",
            answers=(answer,),
            pictures=(PICTURE,),
            kind=kinds[place % len(kinds)],
            provenance=Provenance(source="test"),
        )
        for place in range(count)
    ]


def said(answer: str, operations: int = 0, stop: StopReason | None = None) -> Any:
    ended = StopReason.ANSWERED if answer else StopReason.NO_ANSWER
    return answer, operations, stop or ended


def rollout(query: Query, sample: int, says: Says, place: int) -> Rollout:
    answer, operations, stop = says(place, sample)
    return Rollout(
        query_id=query.id,
        sample=sample,
        steps=(Step(text=f"\\boxed{{{answer}}}" if answer else "well"),),
        stop=stop,
        answer=answer,
        correct=False,  # scoring doesn't believe this
        operations=operations,
        failed_operations=0,
        tokens=12,
    )


class Rows:
    """A benchmark's folders below ``root``, and the context of its scores' stage."""

    def __init__(self, root: Path, benchmark: str, questions: Sequence[Seed]) -> None:
        self.root, self.benchmark = root, benchmark
        self.queries = [Query.from_seed(seed) for seed in questions]
        folder = self.folder(f"benchmark_{benchmark}")
        write_jsonl(folder / "seeds.jsonl", questions)
        (folder / "benchmark.json").write_text(json.dumps({"title": "made up"}))

    def folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def of(self, row: str) -> Path:
        return self.folder(f"answers_{self.benchmark}_{row}")

    def answer(
        self, row: str, says: Says, samples: int = 1, probe: Says | None = None, **more: Any
    ) -> None:
        folder = self.of(row)
        write_jsonl(folder / "queries.jsonl", self.queries)
        answers = [
            rollout(query, sample, says, place)
            for place, query in enumerate(self.queries)
            for sample in range(samples)
        ]
        write_jsonl(folder / "answers.jsonl", answers)
        if probe is not None:
            places = {query.id: place for place, query in enumerate(self.queries)}
            by_id = {query.id: query for query in self.queries}
            write_jsonl(
                folder / "probe.jsonl",
                [
                    rollout(by_id[one.query_id], one.sample, probe, places[one.query_id])
                    for one in answers
                    if one.operations
                ],
            )
        settings = {
            "samples": samples,
            "seed": 0,
            "probe": probe is not None,
            "dialogue": {"operations": "none" if "notool" in row else "offered", "max": 3},
            "prompt": {"picture": {"before": "", "after": row[-6:]}},
            **more,
        }
        (folder / "settings.json").write_text(json.dumps(settings))

    def context(self, **benchmarks: Any) -> StageContext:
        values = {"names": [self.benchmark], "scoring": {"resamples": 300}, **benchmarks}
        return StageContext(
            config=PipelineConfig.model_validate({"benchmarks": values}),
            inputs={path.name: path for path in self.root.iterdir()},
            out=self.folder("out"),
            work=UnsharedNotes(),
            progress=SilentProgress(),
        )


def run(context: StageContext, benchmark: BenchmarkName) -> dict[str, Any]:
    """The scores' stage, with all rows of the profile in its order."""
    rows = [row.name for row in rows_of(context.config)]
    return benchmark_scores.run(context, benchmark, rows)
