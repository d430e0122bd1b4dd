"""``pixel`` for studies: like ``tiny_pixel``, with RL and answers in the real files' form.

How well a policy does follows from its settings, so that the study has something to find:
with curiosity it zooms and is mostly right, without it it does neither. From the environment:

- ``TINY_RL_STEP_S``: seconds a step of ``rl`` takes; it checkpoints after each of 20.
- ``TINY_FAIL_CELL``: ``preset seed`` of the cell whose RL fails.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import time
from typing import Any

import tiny_pixel

import pixel_core.workflow.table as table
from pixel_core.errors import StageFailed
from pixel_core.records import Picture, Query, Rollout, Step, StopReason, write_jsonl
from pixel_core.workflow.stage import StageContext

RL_STEPS = 20
QUESTIONS = 40
PICTURE = Picture(member="p.png", width=8, height=8, sha256="0" * 64)


def install() -> None:
    tiny_pixel.install()
    own = {"ingest", "rl", "answers_warm_start", "answers_policy"}
    table.STAGES = tuple(
        dataclasses.replace(stage, run=f"{__name__}:{stage.name}")
        if stage.name in own
        else stage
        for stage in table.STAGES
    )
    table.BY_NAME = {stage.name: stage for stage in table.STAGES}
    table.downstream.__defaults__ = (table.STAGES,)


def ingest(context: StageContext) -> dict[str, Any]:
    """No question has its evidence at a known place."""
    write_jsonl(context.out / "seeds.jsonl", ())
    return tiny_pixel.ingest(context)


def rl(context: StageContext) -> dict[str, Any]:
    config = context.config.rl
    if os.environ.get("TINY_FAIL_CELL") == f"{config.reward.preset} {config.seed}":
        raise StageFailed("rl failed as asked; unset TINY_FAIL_CELL")
    skill = 0.8 if config.reward.preset != "none" else 0.01
    saved = context.work.get("step")
    first = int(saved) if saved else 0
    context.progress.note(f"starts at step {first}")
    curve = []
    for step in range(1, RL_STEPS + 1):
        at = 0.2 + (skill - 0.2) * step / RL_STEPS
        curve.append({"step": step, "rapr": at, "accuracy": at})
        if step > first:
            time.sleep(float(os.environ.get("TINY_RL_STEP_S", "0")))
            context.work.put("step", str(step).encode())
            context.progress.update(step, RL_STEPS, accuracy=at, rapr=at)
    lines = "".join(json.dumps(row) + "\n" for row in curve)
    (context.out / "curve.jsonl").write_text(lines)
    (context.out / "value.txt").write_text(f"{skill} {config.seed}")
    return {"final_rapr": skill}


def answers_policy(context: StageContext) -> dict[str, Any]:
    skill, seed = (context.inputs["rl"] / "value.txt").read_text().split()
    return _answer(context, float(skill), int(seed))


def answers_warm_start(context: StageContext) -> dict[str, Any]:
    return _answer(context, 0.2, 0)


def _answer(context: StageContext, skill: float, seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    queries = [
        Query(
            id=f"q{n}",
            question="?",
            pictures=(PICTURE,),
            answers=("1",),
            kind=("digit_small", "exists")[n % 2],
        )
        for n in range(QUESTIONS)
    ]
    write_jsonl(context.out / "queries.jsonl", queries)
    for decoding, samples in (("greedy", 1), ("sampled", context.config.answers.samples)):
        rollouts = []
        for query in queries:
            for sample in range(samples):
                used = draw.random() < skill
                rollouts.append(
                    Rollout(
                        query_id=query.id,
                        sample=sample,
                        steps=(Step(text="done"),),
                        stop=StopReason.ANSWERED,
                        answer="1",
                        correct=draw.random() < (0.95 if used else 0.3),
                        operations=int(used),
                        failed_operations=0,
                        tokens=3,
                    )
                )
        write_jsonl(context.out / f"{decoding}.jsonl", rollouts)
    settings = context.config.answers.model_dump(mode="json")
    (context.out / "settings.json").write_text(json.dumps(settings))
    return {}


if __name__ == "__main__":
    # Under its importable name, so that the table's "module:function" finds this code.
    import tiny_study

    tiny_study.install()

    from flows.cli.main import main

    main()
