"""Makes one stage of ``profile.toml``, as the driver of a Ray job does: without Prefect.

Usage: python make_stage.py STORE SCRATCH STAGE. What it needs is reused from the store, or
made first. Prints what happens.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.workflow.planning import stages_until
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, Store

PROFILE = Path(__file__).with_name("profile.toml")


class Spoken:
    """Progress as lines."""

    def update(self, done: int, total: int, **metrics: float) -> None:
        print(f"{done}/{total} {metrics}", flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)


def settings(scratch: str) -> PipelineConfig:
    return load_profile(str(PROFILE), [f"rl.openrlhf.scratch={scratch}"])


def make(config: PipelineConfig, store: Store, until: str) -> dict[str, Artifact]:
    """All artifacts up to the stage, by name."""
    made: dict[str, Artifact] = {}
    for stage in stages_until(until):
        outcome = run_stage(stage, config, made, store, progress=Spoken())
        print(f"{stage.name} {outcome.status}", flush=True)
        made[stage.name] = outcome.artifact
    return made


if __name__ == "__main__":
    place, scratch, name = sys.argv[1:]
    make(settings(scratch), Store.open(place), name)
