"""Workers that say who they are and then wait."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pixel_core.workflow.parallel.team import WorkerGroup, run_team
from pixel_core.workflow.stage import SilentProgress


def sleep(team: WorkerGroup, folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(120)


def start(folder: str) -> None:
    Path(folder).mkdir()
    run_team(sleep, (folder,), shards=2, workers=2, progress=SilentProgress())
