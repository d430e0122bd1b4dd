"""``pixel`` with the real table, store and flow, and stages that take moments.

Run as a script with ``pixel``'s own arguments. A stage writes a number that follows from
its settings and its inputs. Settings of the test come through the environment:

- ``TINY_SFT_STEP_S``: seconds a step of ``sft`` takes; it checkpoints after each of 40.
- ``TINY_FAIL``: the name of a stage that fails.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pixel_core.workflow.table as table
from pixel_core.errors import StageFailed
from pixel_core.workflow.stage import StageContext

SFT_STEPS = 40


def install() -> None:
    """Put this module's functions in the table, before anything else reads it."""
    table.STAGES = tuple(
        dataclasses.replace(
            stage, run=f"{__name__}:{stage.name}", fingerprint="", foresees={}, arguments={}
        )
        for stage in table.STAGES
    )
    table.BY_NAME = {stage.name: stage for stage in table.STAGES}
    table.downstream.__defaults__ = (table.STAGES,)


def _stage(name: str) -> Callable[[StageContext], dict[str, Any]]:
    def run(context: StageContext) -> dict[str, Any]:
        if os.environ.get("TINY_FAIL") == name:
            raise StageFailed(f"{name} failed as asked; unset TINY_FAIL")
        settings = getattr(context.config, name.partition("_")[0], "")
        digest = hashlib.sha256(str(settings).encode())
        for folder in context.inputs.values():
            digest.update((folder / "value.txt").read_bytes())
        for step in range(1, 4):
            context.progress.update(step, 3, loss=1.0 / step)
        (context.out / "value.txt").write_text(digest.hexdigest(), encoding="utf-8")
        return {"value": int(digest.hexdigest()[:6], 16)}

    return run


ingest = _stage("ingest")
annotate = _stage("annotate")
synthesize = _stage("synthesize")
base_model = _stage("base_model")
text_only = _stage("text_only")
rl = _stage("rl")
answers_base = _stage("answers_base")
answers_warm_start = _stage("answers_warm_start")
answers_policy = _stage("answers_policy")


def sft(context: StageContext) -> dict[str, Any]:
    saved = context.work.get("step")
    first = int(saved) if saved else 0
    context.progress.note(f"starts at step {first}")
    for step in range(first + 1, SFT_STEPS + 1):
        time.sleep(float(os.environ.get("TINY_SFT_STEP_S", "0")))
        context.work.put("step", str(step).encode())
        context.progress.update(step, SFT_STEPS, loss=1.0 / step)
    return _stage("sft")(context)


def evaluate(context: StageContext) -> dict[str, Any]:
    metrics = _stage("evaluate")(context)
    score = {
        "benchmark": "tiny",
        "model": "policy",
        "decoding": "greedy",
        "n": 500,
        "accuracy": 0.8125,
        "low": 0.77,
        "high": 0.84,
        "rapr": 0.5,
        "op_error_rate": 0.01,
        "by": {},
    }
    results = {"scores": [score], "comparisons": []}
    (context.out / "scores.json").write_text(json.dumps(results), encoding="utf-8")
    return metrics


def report(context: StageContext) -> dict[str, Any]:
    metrics = _stage("report")(context)
    (context.out / "report.html").write_text("<h1>tiny report</h1>", encoding="utf-8")
    return metrics


if __name__ == "__main__":
    # Under its importable name, so that the table's "module:function" finds this code.
    import tiny_pixel

    tiny_pixel.install()

    from flows.cli.main import main

    main()
