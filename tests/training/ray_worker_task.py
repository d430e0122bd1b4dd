"""What a worker of the Ray group does, in two plain processes, where that is quicker."""

from __future__ import annotations

import torch

from pixel_core.training.loop import Row
from pixel_core.training.ray_train.worker import WorkerJob, train
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import Progress


class TeamLine:
    """A ``worker.Line`` over a team's progress; asks to stop after ``stop_after`` steps."""

    def __init__(self, progress: Progress, stop_after: int) -> None:
        self._progress = progress
        self._left = stop_after

    def update(self, done: int, total: int, metrics: Row) -> None:
        self._progress.update(done, total, **metrics)

    def note(self, text: str) -> None:
        self._progress.note(text)

    def stopping(self) -> bool:
        self._left -= 1
        return self._left == 0


def work(team: WorkerGroup, job: WorkerJob, stop_after: int) -> None:
    train(job, TeamLine(team.progress, stop_after), torch.device("cpu"))
