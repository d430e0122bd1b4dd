"""Questions, answers and scores of benchmarks on disk, with really drawn pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_result import result_of

from pixel_core.config import PipelineConfig
from pixel_core.data.sources.drawn import seeds as draw_seeds
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Box, Query, Rollout, Seed, Split, Step, StopReason, write_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext, UnsharedNotes
from pixel_core.workflow.table import answers_stage, questions_stage, rows_of, scores_stage

HOSTILE = (
    "<script>document.title = 'owned'</script></textarea></svg></p>"
    "<img src=x onerror=\"document.title='owned'\"><b id=bold>{{ 7 * 7 }}</b>"
)


def config_of(**benchmarks: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "tiny",
            "ingest": {"drawn": {"train": 1, "validation": 1, "test": 12}},
            "benchmarks": {"names": ["drawn", "vstar"], "notool": True, **benchmarks},
        }
    )


def write_benchmarks(
    root: Path, config: PipelineConfig, facts: Mapping[str, Mapping[str, Any]]
) -> StageContext:
    """All folders that the page needs; each pair of rows won the first half of the questions.

    ``facts``: by benchmark, what its stage said differently.
    """
    inputs: dict[str, Path] = {}

    def folder(name: str) -> Path:
        inputs[name] = root / name
        inputs[name].mkdir(parents=True)
        return inputs[name]

    rows = rows_of(config)
    for name in config.benchmarks.names:
        with PictureArchiveWriter(folder(questions_stage(name)) / "pictures.zip") as archive:
            drawn = draw_seeds(config.ingest.drawn, archive)
            seeds = [_asked(seed) for seed in drawn if seed.split is Split.TEST]
        queries = [Query.from_seed(seed) for seed in seeds]
        for row in rows:
            made = folder(answers_stage(name, row))
            write_jsonl(made / "queries.jsonl", queries)
            write_jsonl(made / "answers.jsonl", [_told(q, row.operations) for q in queries])
        ids = [query.id for query in queries]
        result = result_of(
            name,
            rows,
            title={"vstar": "V*"}.get(name, "Drawn world"),
            won=ids[:6],
            lost=ids[6:],
            facts=facts.get(name),
        )
        scores = folder(scores_stage(name)) / "scores.json"
        scores.write_text(result.model_dump_json(), encoding="utf-8")
    timings = {stage: {"run_seconds": 77.4} for stage in inputs}
    out = root / "out"
    out.mkdir()
    return StageContext(config, inputs, out, UnsharedNotes(), SilentProgress(), timings=timings)


def _asked(seed: Seed) -> Seed:
    return seed.model_copy(update={"question": f"{seed.question} {HOSTILE}", "kind": HOSTILE})


def _told(query: Query, operations: bool) -> Rollout:
    answer = query.answers[0] if operations else HOSTILE
    look = Step(text="closer", box=Box(x1=4, y1=4, x2=90, y2=90), picture=0)
    return Rollout(
        query_id=query.id,
        sample=0,
        steps=(*((look,) if operations else ()), Step(text=f"\\boxed{{{answer}}}")),
        stop=StopReason.ANSWERED,
        answer=answer,
        correct=operations,
        operations=int(operations),
        failed_operations=0,
        tokens=9,
    )
