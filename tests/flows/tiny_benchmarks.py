"""``tiny_pixel`` whose benchmark stages take moments, too; their table is the real one.

Run as a script with ``pixel``'s own arguments.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_pixel
from benchmark_result import result_of

import pixel_core.workflow.table as table
from pixel_core.config import PipelineConfig
from pixel_core.workflow.stage import Stage, StageContext
from pixel_core.workflow.table import PAGE, benchmark_stages, rows_of, scores_stage


def install() -> None:
    tiny_pixel.install()
    table.benchmark_stages = stand_ins


def stand_ins(config: PipelineConfig) -> tuple[Stage, ...]:
    return tuple(
        dataclasses.replace(
            stage,
            run=f"{__name__}:run",
            fingerprint="",
            ready="",
            foresees={},
            arguments={"name": stage.name},
        )
        for stage in benchmark_stages(config)
    )


def run(context: StageContext, name: str) -> dict[str, Any]:
    benchmarks, out = context.config.benchmarks, context.out
    (out / "value.txt").write_text(f"{name} {benchmarks.scoring.graders}", encoding="utf-8")
    if name == PAGE:
        (out / "benchmarks.html").write_text("<h1>tiny page</h1>", encoding="utf-8")
    for benchmark in benchmarks.names:
        if name == scores_stage(benchmark):
            result = result_of(benchmark, rows_of(context.config), title="Drawn world")
            (out / "scores.json").write_text(result.model_dump_json(), encoding="utf-8")
    return {"stage": name}


if __name__ == "__main__":
    # Under its importable name, so that the table's "module:function" finds this code.
    import tiny_benchmarks

    tiny_benchmarks.install()

    from flows.cli.main import main

    main()
