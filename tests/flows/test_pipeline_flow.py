"""The recipe through a real Prefect server: run, reuse, force, fail."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from pixel_program import Pixel

from flows.cli.prefect_server import LocalServer
from pixel_core.workflow.table import STAGES

ALL = [stage.name for stage in STAGES]


def latest_flow_run(page: LocalServer) -> dict[str, Any]:
    query = {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    return httpx.post(f"{page.api_url}/flow_runs/filter", json=query).json()[0]


def task_states(page: LocalServer, flow_run: str) -> dict[str, dict[str, Any]]:
    """The state of each task run of a flow run, by the task run's name."""
    query = {"flow_runs": {"id": {"any_": [flow_run]}}}
    runs = httpx.post(f"{page.api_url}/task_runs/filter", json=query).json()
    return {run["name"]: run["state"] for run in runs}


def artifacts(page: LocalServer, flow_run: str) -> dict[str, str]:
    query = {"flow_runs": {"id": {"any_": [flow_run]}}}
    found = httpx.post(f"{page.api_url}/artifacts/filter", json=query).json()
    return {artifact["key"]: str(artifact["data"]) for artifact in found}


def actions(pixel: Pixel, *arguments: str) -> dict[str, str]:
    decisions = json.loads(pixel("plan", "--json", *arguments).stdout)
    return {decision["stage"]: decision["action"] for decision in decisions}


def test_a_run_then_its_reuse(pixel: Pixel, page: LocalServer) -> None:
    assert set(actions(pixel).values()) == {"run"}

    first = pixel("run")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert f"store {pixel.store}" in first.stdout
    assert "12 stages: 0 to reuse, 12 to run" in first.stdout
    assert "81.2 %" in first.stdout
    assert f"report: {pixel.store / 'report.html'}" in first.stdout
    flow_run = latest_flow_run(page)
    assert flow_run["state"]["type"] == "COMPLETED"
    assert flow_run["parameters"]["profile"] == "tiny"
    states = task_states(page, flow_run["id"])
    assert {name: state["name"] for name, state in states.items()} == dict.fromkeys(
        ALL, "Completed"
    )
    shown = artifacts(page, flow_run["id"])
    assert "81.2 %" in shown["scores"]
    assert "never built" in shown["stage-rl"]

    assert set(actions(pixel).values()) == {"reuse"}
    second = pixel("run")
    assert second.returncode == 0, second.stderr
    states = task_states(page, latest_flow_run(page)["id"])
    assert {name: state["name"] for name, state in states.items()} == dict.fromkeys(
        ALL, "Cached"
    )
    assert states["sft"]["message"] == "reused because unchanged"

    evaluate = json.loads(pixel("show", "evaluate", "--json").stdout)
    assert evaluate["scores"][0]["model"] == "policy"
    assert evaluate["comparisons"] == []
    shown_run = json.loads(pixel.here("show", "--json").stdout)
    assert shown_run["status"] == "finished"
    assert {name: stage["status"] for name, stage in shown_run["stages"].items()} == (
        dict.fromkeys(ALL, "reused")
    )
    assert pixel("report").stdout.strip() == str(pixel.store / "report.html")

    query = {"flow_runs": {"id": {"any_": [latest_flow_run(page)["id"]]}}}
    runs = httpx.post(f"{page.api_url}/task_runs/filter", json=query).json()
    names = {run["id"]: run["name"] for run in runs}
    arrows = {
        run["name"]: {names[item["id"]] for item in run["task_inputs"].get("inputs", [])}
        for run in runs
    }
    assert arrows == {stage.name: set(stage.needs) for stage in STAGES}, "not the table's needs"


def test_a_changed_setting_rebuilds_what_follows_from_it(
    made: Pixel, page: LocalServer
) -> None:
    changed = made("run", "--set", "rl.steps=7")
    assert changed.returncode == 0, changed.stderr
    states = task_states(page, latest_flow_run(page)["id"])
    rebuilt = {name for name, state in states.items() if state["name"] == "Completed"}
    assert rebuilt == {"rl", "answers_policy", "evaluate", "report"}
    assert "`rl.steps`" in states["rl"]["message"]


def test_until_makes_only_what_the_stage_needs(pixel: Pixel, page: LocalServer) -> None:
    assert pixel("run", "--until", "base_model").returncode == 0
    flow_run = latest_flow_run(page)
    assert set(task_states(page, flow_run["id"])) == {"base_model"}


def test_from_forces_what_follows_and_until_ends_early(made: Pixel) -> None:
    pixel = made
    before = json.loads(pixel.here("show", "--json").stdout)["stages"]
    assert pixel("run", "--from", "sft", "--until", "rl").returncode == 0
    after = json.loads(pixel.here("show", "--json").stdout)["stages"]
    data = ["ingest", "annotate", "synthesize", "base_model", "text_only"]
    assert list(after) == [*data, "sft", "rl"]
    forced = {name for name, stage in after.items() if stage["status"] == "built"}
    assert forced == {"sft", "rl"}
    for name, stage in after.items():
        same_files = stage["generation"] == before[name]["generation"]
        assert same_files == (name not in forced)

    earlier = pixel.here("show", "evaluate")
    assert "latest run made no evaluate" in earlier.stderr
    assert "81.2 %" in earlier.stdout


@pytest.mark.ci
def test_a_failed_stage_fails_the_flow_and_keeps_what_was_done(
    pixel: Pixel, page: LocalServer
) -> None:
    failed = pixel("run", TINY_FAIL="rl")
    assert failed.returncode == 1
    assert failed.stderr.strip() == "error: rl failed as asked; unset TINY_FAIL"
    flow_run = latest_flow_run(page)
    assert flow_run["state"]["type"] == "FAILED"
    assert "rl failed as asked" in flow_run["state"]["message"]
    assert task_states(page, flow_run["id"])["rl"]["type"] == "FAILED"
    run = json.loads(pixel.here("show", "--json").stdout)
    assert run["status"] == "failed"
    assert run["stages"]["rl"]["reason"].startswith("rl failed as asked")
    assert actions(pixel)["sft"] == "reuse"


def test_damage_is_noticed_repaired_and_told(made: Pixel, page: LocalServer) -> None:
    """A file cut short, one that is gone, and a manifest of which half was written."""

    def file(stage: str, name: str) -> Path:
        [found] = (made.store / "artifacts" / stage).glob(f"*/**/{name}")
        return found

    cut = file("synthesize", "value.txt")
    size = cut.stat().st_size
    os.truncate(cut, size - 5)
    file("sft", "value.txt").unlink()
    manifest = file("evaluate", "manifest.json")
    os.truncate(manifest, manifest.stat().st_size // 2)

    repaired = made("run")
    assert repaired.returncode == 0, repaired.stderr
    assert f"running synthesize: damaged: value.txt: size {size - 5}" in repaired.stdout
    assert "running sft: damaged: value.txt: missing" in repaired.stdout
    assert "running evaluate: damaged: manifest" in repaired.stdout
    # The same bytes again: the wave stops there.
    states = task_states(page, latest_flow_run(page)["id"])
    assert {name for name, state in states.items() if state["name"] != "Cached"} == {
        "synthesize",
        "sft",
        "evaluate",
    }


@pytest.mark.ci
@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_profile_may_name_the_store(
    pixel: Pixel, command: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("elsewhere") / "store"
    arguments = ["--until", "ingest", "--set", f"runtime.store={place}"]
    named = pixel(command, *arguments, PIXEL_STORE="")
    assert named.returncode == 0, named.stderr
    assert f"store {place}" in named.stdout
