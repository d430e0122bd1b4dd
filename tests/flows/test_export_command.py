"""``pixel export`` and ``pixel import`` on a store with a run of the data stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from pixel_core.config.profile import load_profile
from pixel_core.records import Trajectory, read_jsonl
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.runs import StageRun
from pixel_core.workflow.table import BY_NAME

SETTINGS = [f"ingest.drawn.{split}=4" for split in ("train", "validation", "test")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run from before there were text-only trajectories."""
    store = Store.open(str(tmp_path_factory.mktemp("store")))
    config = load_profile("smoke", SETTINGS)
    run = store.runs.start("smoke", config)
    made: dict[str, Artifact] = {}
    for name in ("ingest", "annotate", "synthesize"):
        stage = BY_NAME[name]
        needed = {need: made[need] for need in stage.needs}
        made[name] = run_stage(stage, config, needed, store).artifact
        record = StageRun(stage=name, status="built", key=made[name].key)
        store.runs.record(run.id, record)
    store.runs.finish(run.id, "finished")
    return store


def pixel(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("format", ["original", "chat"])
def test_a_runs_trajectories_go_out_and_come_back(
    store: Store, tmp_path: Path, format: str
) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    code, said = pixel("export", "--store", store.uri, "--format", format, "--to", out)
    assert (code, f"4 trajectories in {out}" in said) == (0, True), said
    file = out / "trajectories.jsonl"
    code, said = pixel("import", file, "--format", format, "--to", back)
    assert (code, "4 trajectories on 4 questions" in said) == (0, True), said
    made = store.latest("synthesize")
    assert made is not None
    before, after = (
        list(read_jsonl(folder / "trajectories.jsonl", Trajectory))
        for folder in (made.local(), back)
    )
    assert after == before
    # The calls are written as the run wrote them, without a profile being named.
    assert load_profile(str(back / "profile.toml")).dialogue == load_profile("smoke").dialogue
    code, said = pixel("export", "--store", store.uri, "--format", format, "--to", out)
    assert (code, "complete already" in said) == (0, True), said
    plan = ("plan", "--profile", back / "profile.toml", "--store", tmp_path / "new", "--json")
    code, said = pixel(*plan, "--until", "synthesize")
    assert [stage["action"] for stage in json.loads(said)] == ["run"] * 3


def test_bad_input_is_one_sentence_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments, words in (
        (("export", "--store", store.uri, "--format", "csv", "--to", out), "original, chat"),
        (("export", "gone", "--store", store.uri, "--to", out), "there is no run 'gone'"),
        (("export", "--store", tmp_path / "empty", "--to", out), "start one with pixel run"),
        (("import", tmp_path / "no.jsonl", "--to", out), "can't be read"),
    ):
        code, said = pixel(*arguments)
        assert code == 2, said
        assert words in said.replace("\n", " ")
        assert not out.exists()
