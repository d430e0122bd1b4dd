"""Two runs on one store, and artifacts that were damaged after they were made."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from real_runs import RealPixel, SmokeRun, ended, statuses


@pytest.mark.slow
def test_two_runs_at_once_make_each_artifact_once(
    smoke: SmokeRun, copy_of_smoke: RealPixel
) -> None:
    pixel = copy_of_smoke
    pixel.forget("sft", "rl", "evaluate")
    both = [pixel.start("run", "--profile", "smoke") for _ in range(2)]
    runs = [ended(process) for process in both]
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    built = Counter(
        stage
        for run in runs
        for stage, status in statuses(run.stdout).items()
        if status == "built"
    )
    assert built == {"sft": 1, "rl": 1, "evaluate": 1}
    assert any("waiting for" in run.stdout for run in runs)
    for stage in ("sft", "rl", "evaluate"):
        assert pixel.artifact(stage).digest == smoke.pixel.artifact(stage).digest


@pytest.mark.slow
def test_damaged_artifacts_are_noticed_and_made_again(
    smoke: SmokeRun, copy_of_smoke: RealPixel
) -> None:
    """A model cut short, one that is gone, and a manifest of which half was written. The same
    with stages that take moments: tests/flows/test_pipeline_flow.py."""
    pixel = copy_of_smoke
    models = {
        stage: pixel.artifact(stage).local() / "model" / "model.safetensors"
        for stage in ("sft", "rl")
    }
    size = models["sft"].stat().st_size
    os.truncate(models["sft"], size // 2)
    models["rl"].unlink()
    manifest = pixel.artifact("evaluate").local().parent / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:300])

    output = pixel.run()
    assert f"running sft: damaged: model/model.safetensors: size {size // 2}" in output
    assert "running rl: damaged: model/model.safetensors: missing" in output
    assert "running evaluate: damaged: manifest" in output
    made = statuses(output)
    for stage in ("sft", "rl", "evaluate"):
        assert made.pop(stage) == "built"
        assert pixel.artifact(stage).key == smoke.pixel.artifact(stage).key
        assert pixel.artifact(stage).digest == smoke.pixel.artifact(stage).digest
    # They came out with the same bytes, so what follows stands.
    assert set(made.values()) == {"reused"}
