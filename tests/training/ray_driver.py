"""Runs the stage on Ray Train in a process of its own, for a test to kill.

``python ray_driver.py CONTEXT`` with a pickled ``StageContext``; prints each step.
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path

from pixel_core.training.ray_train import stage as ray_sft
from pixel_core.workflow.stage import SilentProgress


class Telling(SilentProgress):
    def update(self, done: int, total: int, **metrics: float) -> None:
        print(done, flush=True)


if __name__ == "__main__":
    context = pickle.loads(Path(sys.argv[1]).read_bytes())
    ray_sft.run(replace(context, progress=Telling()))
