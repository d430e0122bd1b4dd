"""The stage that answers a benchmark, on a tiny model; also as a program,
which can be killed: ``python answer_stage.py ROOT WORK``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.evaluation import benchmark_answers
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store import Store

SETTINGS = (
    "benchmarks.names=drawn",
    "benchmarks.notool=true",
    "benchmarks.answers.probe=true",
    "benchmarks.answers.chunk=2",
    "runtime.workers=2",
    # As tests/tiny_world.py has it: the model knows conversations by heart in this dialogue.
    "dialogue.prompt=compact",
    "dialogue.crop={min_pixels=3136,max_pixels=7056}",
    'dialogue.zoom={coordinates="pixel",padding=0.0,min_side=20}',
    "dialogue.frames={enabled=true,frame={min_pixels=3136,max_pixels=3136},"
    "selected={min_pixels=12544,max_pixels=12544}}",
    "dialogue.max_operations=4",
    "dialogue.max_new_tokens=32",
    "dialogue.max_tokens=1024",
)


def settings(*more: str) -> PipelineConfig:
    return load_profile("smoke", [*SETTINGS, *more])


def context(root: Path, work: Path, config: PipelineConfig, **parts: Any) -> StageContext:
    """``root``: folders of the questions and of the model; ``work``: the store and ``out``."""
    out = work / "out"
    out.mkdir(parents=True, exist_ok=True)
    inputs = {"benchmark_drawn": root / "ingest", "rl": root / "model"}
    space = parts.pop("space", None) or Store.open(str(work / "store")).workspace(
        "answers", "0" * 64
    )
    progress = parts.pop("progress", None) or SilentProgress()
    return StageContext(config, inputs, out, space, progress, **parts)


def answer(made: StageContext, operations: bool = True, endpoint: str = "") -> dict[str, Any]:
    return benchmark_answers.run(made, "benchmark_drawn", "rl", operations, endpoint)


if __name__ == "__main__":
    answer(context(Path(sys.argv[1]), Path(sys.argv[2]), settings()))
