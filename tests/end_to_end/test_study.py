"""A study of real stages, killed while two cells train, then ended by the same command."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from real_runs import LIMIT_S, RealPixel, members

from pixel_core.workflow.store import Store

STUDY = (
    *("study", "learning-trap", "--profile", "smoke"),
    *("--set", "study.arms.full={}"),
    *("--set", 'study.arms.no_curiosity={overrides=["rl.reward.preset=none"]}'),
    *("--set", "study.rl_seeds=[0, 1]", "--set", "study.resamples=200"),
    *("--set", "answers.limit=10"),
)


def checkpoints(store: Path) -> list[Path]:
    return list(store.glob("work/rl/*/*/rl-step-??????"))


@pytest.mark.slow
def test_a_killed_study_goes_on_and_shares_what_a_run_has_made(
    copy_of_smoke: RealPixel,
) -> None:
    pixel = copy_of_smoke
    store = Path(pixel.store)
    process = pixel.start(*STUDY)
    deadline = time.monotonic() + LIMIT_S
    while len({path.parent for path in checkpoints(store)}) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "two cells did not come under way"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(process.pid) == [], "workers outlived the study"

    ended = pixel(*STUDY)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("going on from step") >= 2
    lines = {line.split("  ")[0]: line for line in ended.stdout.splitlines()}
    for label in ("sft", "base_model", "rl full, warm start 0, seed 0"):
        assert " reused " in lines[label], "an ordinary run had made it"
    found = json.loads(pixel("show", "study", "--json").stdout)
    assert len(found["runs"]) == 4
    assert not checkpoints(store)

    # A study whose cells are unchanged is reused, page and all.
    before = Store.open(pixel.store).latest("study")
    assert pixel(*STUDY).returncode == 0
    after = Store.open(pixel.store).latest("study")
    assert before is not None
    assert after is not None
    assert before.manifest.generation == after.manifest.generation
