"""Where a run happens does not change what it makes: workers, storage, the user's data."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from real_runs import RealPixel, SmokeRun, statuses

from pixel_core.workflow.table import STAGES

ROOT = Path(__file__).resolve().parents[2]
ALL = [stage.name for stage in STAGES]


@pytest.mark.slow
def test_one_worker_makes_the_bits_that_two_make(
    smoke: SmokeRun, copy_of_smoke: RealPixel
) -> None:
    """The shared run had two."""
    pixel = copy_of_smoke
    pixel.forget("sft", "rl")
    made = statuses(pixel.run("--until", "rl", "--set", "runtime.workers=1"))
    assert (made["sft"], made["rl"]) == ("built", "built")
    for stage in ("sft", "rl"):
        assert pixel.artifact(stage).key == smoke.pixel.artifact(stage).key
        assert pixel.artifact(stage).digest == smoke.pixel.artifact(stage).digest


@pytest.fixture
def s3_pixel(s3_uri: str, real_pixel: Callable[..., RealPixel]) -> RealPixel:
    """On an empty bucket, reached over HTTP as the environment says."""
    names = [name for name in os.environ if name.startswith("AWS_")]
    return real_pixel(
        s3_uri,
        PIXEL_CACHE=os.environ["PIXEL_CACHE"],
        **{name: os.environ[name] for name in names},
    )


@pytest.mark.slow
def test_a_store_on_s3_ends_with_the_bits_of_a_folder(
    smoke: SmokeRun, s3_pixel: RealPixel
) -> None:
    """Only the base model, the slowest stage, is brought from the folder."""
    bucket, _, prefix = s3_pixel.store.removeprefix("s3://").partition("/")
    brought = Path(smoke.pixel.store) / "artifacts" / "base_model"
    for file in brought.rglob("*"):
        if file.is_file():
            name = file.relative_to(smoke.pixel.store).as_posix()
            boto3.client("s3").upload_file(str(file), bucket, f"{prefix}/{name}")

    made = statuses(s3_pixel.run())
    assert made.pop("base_model") == "reused"
    assert set(made.values()) == {"built"}
    for stage in ALL:
        assert s3_pixel.artifact(stage).key == smoke.pixel.artifact(stage).key
        assert s3_pixel.artifact(stage).digest == smoke.pixel.artifact(stage).digest
    # The decisions a run would take, every byte checked, without another Prefect start.
    decisions = json.loads(s3_pixel("plan", "--profile", "smoke", "--json").stdout)
    assert {item["stage"]: item["action"] for item in decisions} == dict.fromkeys(ALL, "reuse")
    shown = s3_pixel("show", "evaluate", "--json")
    assert len(json.loads(shown.stdout)["scores"]) == 6, shown.stderr
    page = Path(s3_pixel("report").stdout.strip())
    assert page.read_bytes() == (Path(smoke.pixel.store) / "report.html").read_bytes()


@pytest.mark.slow
def test_the_users_own_pictures_go_through_the_whole_pipeline(
    smoke: SmokeRun,
    real_pixel: Callable[..., RealPixel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``examples/cards`` as somebody's folder. The base model does not depend on it."""
    monkeypatch.chdir(ROOT)  # the profile's path is relative to the repository
    pixel = real_pixel(tmp_path / "store")
    base = Path("artifacts") / "base_model"
    shutil.copytree(Path(smoke.pixel.store) / base, Path(pixel.store) / base)

    fewer = ("--set", "sft.steps=8", "--set", "rl.steps=2")
    finished = pixel("run", "--profile", "example", *fewer)
    assert finished.returncode == 0, finished.stderr
    made = statuses(finished.stdout)
    assert made.pop("base_model") == "reused"
    assert made == dict.fromkeys([name for name in ALL if name != "base_model"], "built")

    manifest = ROOT / "examples" / "cards" / "manifest.jsonl"
    records = [json.loads(line) for line in manifest.read_text().splitlines()]
    held_out = [record for record in records if record["split"] == "test"]
    scores = json.loads(pixel.here("show", "evaluate", "--json").stdout)["scores"]
    assert len(scores) == 6
    for score in scores:
        assert score["benchmark"] == "cards"
        assert score["n"] == len(held_out)
        assert set(score["by"]) == {record["kind"] for record in held_out}
    page = (Path(pixel.store) / "report.html").read_text(encoding="utf-8")
    assert "Pixel Reasoner on the example cards" in page
