"""Our side of the comparison with TRL: the stage ``rl`` itself, with its steps timed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.trl.job import Job, Steps, Work
from pixel_core.config import PipelineConfig, RuntimeConfig
from pixel_core.records import Annotation, write_jsonl
from pixel_core.training import stages
from pixel_core.workflow.stage import StageContext, Workspace


@dataclass
class Clock:
    """Progress that records when each step ended, in seconds."""

    ended: list[float] = field(default_factory=list)

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.ended.append(time.perf_counter())

    def note(self, text: str) -> None:
        pass


class Forgetful(Workspace):
    """Discards checkpoints: a benchmark is never resumed."""

    def put(self, name: str, data: bytes) -> None:
        pass

    def get(self, name: str) -> bytes | None:
        return None

    def names(self) -> list[str]:
        return []

    def delete(self, name: str) -> None:
        pass


def train(job: Job, annotations: Iterable[Annotation], out: Path, warm_up: int) -> Steps:
    """Train on the job's questions, whose ``annotations`` are given, in ``out``."""
    folder = out / "annotate"
    folder.mkdir(parents=True)
    write_jsonl(folder / "annotations.jsonl", annotations)
    config = PipelineConfig(
        dialogue=job.dialogue,
        rl=job.rl,
        runtime=RuntimeConfig(workers=job.placing.processes),
    )
    inputs = {"sft": Path(job.policy), "ingest": Path(job.ingest), "annotate": folder}
    clock = Clock()
    stages.rl(StageContext(config, inputs, out, Forgetful(), clock))
    lines = (out / "curve.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    if len(rows) != job.rl.steps:
        raise SystemExit(f"a health guard ended our run after {len(rows)} steps")
    rollouts = job.rl.queries * job.rl.group
    work = sum((_work(row, rollouts) for row in rows[warm_up:]), Work())
    return Steps.between(clock.ended[warm_up - 1 :], work)


def _work(row: dict[str, float], rollouts: int) -> Work:
    """A step's row of the curve as counts. An executed operation is followed by another turn
    unless the context was full; all such rollouts are left out."""
    return Work(
        rollouts=rollouts,
        multi_turn=round(rollouts * (row["rapr"] - row["context_full"])),
        tokens=round(rollouts * row["tokens"]),
        left_out=round(rollouts * row["uniform_groups"]),
    )
