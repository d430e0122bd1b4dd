"""The study through a real Prefect server: cells side by side, failures, Ctrl-C.

The stages take moments; scheduling, store, record, comparison and page are the real ones.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pixel_program import Pixel
from typer.testing import CliRunner, Result

from flows.cli.main import app
from flows.cli.prefect_server import LocalServer
from pixel_core.workflow.store import Store

SCRIPT = Path(__file__).with_name("tiny_study.py")
ARMS = (
    *("--set", "study.arms.full={}"),
    *("--set", 'study.arms.no_curiosity={overrides=["rl.reward.preset=none"]}'),
    *("--set", "study.rl_seeds=[0, 1, 2]", "--set", "study.resamples=200"),
)
STUDY = ("study", "learning-trap", "--profile", "smoke", *ARMS)


@pytest.fixture
def study(tmp_path: Path, page: LocalServer) -> Pixel:
    return Pixel(tmp_path / "store", {"PREFECT_API_URL": page.api_url}, SCRIPT)


def saved_steps(study: Pixel) -> list[int]:
    """How far the RL runs under way have come, by their checkpoints."""
    lines = [found.read_bytes().split() for found in study.store.glob("work/rl/*/*/step")]
    return [int(line[1]) for line in lines if len(line) == 2]


def wait_for_two_runs(study: Pixel, process: subprocess.Popen[str], after: int) -> None:
    """Until both have saved a later step."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        steps = saved_steps(study)
        if len(steps) == 2 and min(steps) > after:
            return
        time.sleep(0.02)
    pytest.fail("two RL runs did not come under way")


def starts(output: str) -> dict[str, int]:
    """The step each RL run began at, by its label."""
    lines = [line.strip() for line in output.splitlines() if "starts at step" in line]
    return {
        line.rpartition(": ")[0]: int(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("rl ")
    }


def latest_run(page: LocalServer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The latest flow run and its task runs."""
    query: dict[str, Any] = {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    [run] = httpx.post(f"{page.api_url}/flow_runs/filter", json=query).json()
    query = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    return run, httpx.post(f"{page.api_url}/task_runs/filter", json=query).json()


def shown(study: Pixel, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["show", *arguments, "--store", str(study.store)])


@pytest.mark.ci
def test_a_study_is_stopped_then_fails_in_one_cell_then_ends(
    study: Pixel, page: LocalServer
) -> None:
    """One story, since each process costs seconds: nothing that was done is lost."""
    process = study.start(*STUDY, TINY_RL_STEP_S="0.1")
    wait_for_two_runs(study, process, after=1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    [line] = err.splitlines()
    assert "0 of 6 cells" in line
    assert "The same command goes on from there" in line
    stopped_at = saved_steps(study)
    assert len(stopped_at) == 2
    record = Store.open(str(study.store)).studies.latest()
    assert record is not None
    assert record.status == "interrupted"
    assert [stage.status for stage in record.stages.values()].count("interrupted") == 2

    failed = study(*STUDY, TINY_FAIL_CELL="none 1")
    assert failed.returncode == 1
    assert (
        "1 cells could not be made (no_curiosity, base model 0, warm start 0, seed 1)"
        in failed.stderr
    )
    assert "rl failed as asked" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert sorted(filter(None, starts(failed.stdout).values())) == sorted(stopped_at)
    assert failed.stdout.count("answers_policy full") == 3
    unfinished = shown(study, "study")
    assert unfinished.exit_code == 2
    assert "is failed" in unfinished.stderr
    assert "no study was ever finished" in unfinished.stderr

    ended = study(*STUDY)
    assert ended.returncode == 0, ended.stderr
    built = [line for line in ended.stdout.splitlines() if " built " in line]
    assert [line.partition("  ")[0] for line in built] == [
        "rl no_curiosity, warm start 0, seed 1",
        "answers_policy no_curiosity, warm start 0, seed 1",
    ]
    assert "shown: 1a. Without curiosity" in ended.stdout
    assert (study.store / "study.html").is_file()
    check_page(page)
    check_results(json.loads(shown(study, "study", "--json").stdout))
    # Ordinary runs are told apart from the study's cells.
    assert "there was no run" in shown(study).stderr


def check_page(page: LocalServer) -> None:
    """What Prefect's page shows of the latest flow run."""
    flow, tasks = latest_run(page)
    assert flow["state"]["type"] == "COMPLETED"
    states = {task["name"]: task["state"]["name"] for task in tasks}
    assert states["rl full, warm start 0, seed 2"] == "Cached"
    assert states["rl no_curiosity, warm start 0, seed 1"] == "Completed"
    assert states["study"] == "Completed"
    names = {task["id"]: task["name"] for task in tasks}
    before = {
        names[item["id"]]
        for task in tasks
        if task["name"] == "answers_policy full, warm start 0, seed 2"
        for item in task["task_inputs"].get("wait_for", [])
    }
    assert before == {"ingest", "rl full, warm start 0, seed 2"}
    query = {"flow_runs": {"id": {"any_": [flow["id"]]}}}
    found = httpx.post(f"{page.api_url}/artifacts/filter", json=query).json()
    [markdown] = [item["data"] for item in found if item["key"] == "learning-trap"]
    assert "**shown**: 1a." in markdown


def check_results(found: dict[str, Any]) -> None:
    """The form promised, and the verdicts on policies made to show the trap."""
    place = {"machine", "instruction_set", "instruction_limits"}
    assert set(found) == {"runs", "claims", "commit", *place}
    assert found["instruction_set"]
    assert found["commit"]
    assert [(run["arm"], run["rl_seed"]) for run in found["runs"]] == [
        (arm, seed) for seed in range(3) for arm in ("full", "no_curiosity")
    ]
    for run in found["runs"]:
        assert set(run) == {
            *("arm", "base_model_seed", "warm_start_seed", "rl_seed", "rapr"),
            *("warm_start_selected", *place),
            *("accuracy_sampled", "accuracy_greedy", "digits_sampled", "by"),
        }
        assert {name: run[name] for name in place} == {name: found[name] for name in place}
        assert run["digits_sampled"] == pytest.approx(run["by"]["digit_small"]["accuracy"])
    assert all(set(claim) == {"claim", "verdict", "evidence"} for claim in found["claims"])
    verdicts = {claim["claim"][:2]: claim["verdict"] for claim in found["claims"]}
    assert verdicts == {
        **dict.fromkeys(("1a", "1b", "2a", "2b"), "shown"),
        **dict.fromkeys(("3a", "3b"), "not shown"),
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*STUDY, "--only", "ful"), "no arm 'ful'; the arms are full, no_curiosity"),
        ((*STUDY, "--set", "study.arms.odd={overrides=['rl.stepz=1']}"), "arm 'odd'"),
        (("study", "learning-trap", "--profile", "smoke"), "no arms to compare"),
        ((*STUDY, "--json"), "--plan"),
        ((*STUDY, "--quick"), "[study.quick]"),
        (("show", "study"), "pixel study learning-trap"),
    ],
)
def test_bad_input_costs_nothing(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    refused = CliRunner().invoke(app, [*arguments, "--store", str(tmp_path / "store")])
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert not (tmp_path / "store").exists()


def test_the_plan_lists_each_distinct_stage_once(tmp_path: Path) -> None:
    arguments = [*STUDY, "--plan", "--json", "--store", str(tmp_path / "store")]
    decisions = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert [item["label"] for item in decisions][:7] == [
        *("ingest", "annotate", "synthesize", "base_model", "text_only", "sft"),
        "rl full, warm start 0, seed 0",
    ]
    assert len(decisions) == 6 + 6 + 1 + 6
    assert {item["action"] for item in decisions} == {"run"}
    assert len(decisions[5]["cells"]) == 6
