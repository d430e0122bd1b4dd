"""The nightly evaluation: today's questions for the latest models, and never any training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from operating import ROOT, Operator

from pixel_core.workflow.store import Store

PIPELINE = ROOT / "tests" / "flows" / "tiny_pixel.py"
EVALUATION = Path(__file__).with_name("evaluating_program.py")
ANSWERED = ("ingest", "answers_base", "answers_warm_start", "answers_policy", "evaluate")


def run(
    operator: Operator, store: Path, *command: str | Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, **operator.environment, "PIXEL_STORE": str(store)},
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.slow
def test_new_questions_are_answered_by_the_latest_models_without_training(
    operator: Operator, tmp_path: Path
) -> None:
    profile, store = tmp_path / "mine.toml", tmp_path / "store"
    profile.write_text('extends = "tiny"\n')

    early = run(operator, store, EVALUATION, profile)
    assert early.returncode != 0
    assert "no run of profile 'mine'" in early.stderr
    assert "at least --until rl" in early.stderr

    trained = run(operator, store, PIPELINE, "run", "--profile", profile, "--until", "rl")
    assert trained.returncode == 0, trained.stderr
    opened = Store.open(str(store))
    models = {stage: opened.latest(stage) for stage in ("base_model", "sft", "rl")}

    # The pipeline would train on these questions, and with these steps.
    profile.write_text('extends = "tiny"\n[ingest.drawn]\ntest = 7\n[sft]\nsteps = 9\n')
    nightly = run(operator, store, EVALUATION, profile)
    assert nightly.returncode == 0, nightly.stderr
    assert json.loads(nightly.stdout) == dict.fromkeys(ANSWERED, "built")
    assert {stage: opened.latest(stage) for stage in models} == models
    answers = opened.latest("answers_policy")
    assert answers is not None
    assert models["rl"] is not None
    assert answers.manifest.inputs["rl"].digest == models["rl"].digest
