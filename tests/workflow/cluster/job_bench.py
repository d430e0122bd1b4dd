"""A store, a cluster and stages that are steered: what tests of jobs work with."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from job_stages import PATH, make
from real_ray import RealRay
from tiny_stages import small

from pixel_core.config import PipelineConfig
from pixel_core.workflow.cluster.jobs_api import JobsApi
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.store import Store

LIMIT_S = 180.0


@dataclass
class Heard:
    """Everything that a run told, in order."""

    updates: list[tuple[int, int, dict[str, float]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates.append((done, total, metrics))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def options(self) -> dict[str, Any]:
        return {"progress": self, "say": self.said.append, "log": self.lines.append}


@dataclass
class Bench:
    """A store, a cluster, and the files that steer the stages of ``job_stages``."""

    ray: RealRay
    folder: Path
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.store = Store.open(str(self.folder / "store"))
        self.gate = self.folder / "gate"
        self.started_file = self.folder / "started"

    def config(self, address: str = "", **cluster: object) -> PipelineConfig:
        environment = {
            "PYTHONPATH": PATH,
            "GATE": str(self.gate),
            "STARTED": str(self.started_file),
            **cluster.pop("environment", {}),  # type: ignore[dict-item]
        }
        settings = {"address": address or self.ray.address, "environment": environment}
        return small(cluster={**settings, **cluster}, sft={"place": {"on": "ray"}})

    def make(self, config: PipelineConfig | None = None, **options: Any) -> StageOutcome:
        return make(config or self.config(), self.store, **self.heard.options(), **options)

    def pids(self) -> list[int]:
        """The processes in which the stage's work was begun."""
        return [int(line) for line in _text(self.started_file).split()]

    def wait_for_start(self, times: int = 1) -> int:
        """Until the work was begun that often and waits at the gate; its process."""
        wait_until(lambda: len(self.pids()) >= times and self.saved() == 3)
        return self.pids()[-1]

    def saved(self) -> int:
        """Steps that are in the workspace."""
        for file in (self.folder / "store" / "work" / "stepping").glob("*/*/made"):
            return file.read_text().count(",") + 1
        return 0

    def jobs(self) -> dict[str, str]:
        """The statuses of all jobs that the runs spoke of, by their number of attempt."""
        names = set(re.findall(r"stepping-[0-9a-f]{16}-\S+-a\d+", " ".join(self.heard.said)))
        api = JobsApi(self.ray.address, 10)
        found = {name.rpartition("-")[2]: api.find(name) for name in sorted(names)}
        api.close()
        return {attempt: job.status for attempt, job in found.items() if job}


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
