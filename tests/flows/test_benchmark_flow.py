"""Benchmarks through a real Prefect server: the recipe's arrows, evaluating without training.

The stages take moments; the table, the store, the plan and the commands are the real ones.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from pixel_program import Pixel
from test_pipeline_flow import artifacts, latest_flow_run, task_states

from flows.cli.prefect_server import LocalServer
from pixel_core.config.profile import load_profile
from pixel_core.workflow.table import STAGES, stages_of

pytestmark = pytest.mark.ci

SCRIPT = Path(__file__).with_name("tiny_benchmarks.py")
BOTH = ("--set", "benchmarks.names=drawn,vstar")


@pytest.fixture
def trained(made: Pixel) -> Pixel:
    """A store where the pipeline ended, without benchmarks."""
    return Pixel(made.store, made.environment, SCRIPT)


def arrows(page: LocalServer) -> dict[str, set[str]]:
    """What the latest flow run's page draws, by task run."""
    query = {"flow_runs": {"id": {"any_": [latest_flow_run(page)["id"]]}}}
    runs = httpx.post(f"{page.api_url}/task_runs/filter", json=query).json()
    names = {run["id"]: run["name"] for run in runs}
    return {
        run["name"]: {names[item["id"]] for item in run["task_inputs"].get("inputs", [])}
        for run in runs
    }


def test_the_pipeline_ends_with_the_profiles_benchmarks(
    trained: Pixel, page: LocalServer
) -> None:
    ran = trained("run", *BOTH)
    assert ran.returncode == 0, ran.stderr
    table = stages_of(load_profile("tiny", BOTH[1::2]))
    assert len(table) == len(STAGES) + 2 * 3 + 1
    assert arrows(page) == {stage.name: set(stage.needs) for stage in table}
    states = task_states(page, latest_flow_run(page)["id"])
    built = {name for name, state in states.items() if state["name"] == "Completed"}
    assert built == {stage.name for stage in table[len(STAGES) :]}
    assert "Drawn world (accuracy, grader strict)" in ran.stdout
    assert f"benchmarks: {trained.store / 'benchmarks.html'}" in ran.stdout
    assert "52.0" in artifacts(page, latest_flow_run(page)["id"])["scores-drawn"]

    part = ("--from", "answers_vstar_policy", "--until", "scores_vstar")
    planned = json.loads(trained("plan", "--json", *BOTH, *part).stdout)
    assert not {"scores_drawn", "benchmarks"} & {decision["stage"] for decision in planned}
    forced = {decision["stage"] for decision in planned if decision["action"] == "run"}
    assert forced == {"answers_vstar_policy", "scores_vstar"}


def test_evaluating_trains_nothing_and_shows_what_shapes_the_scores(
    trained: Pixel, page: LocalServer
) -> None:
    asked = ("--benchmark", "drawn", "--model", "policy", "--notool", "--limit", "7")
    ended = trained("evaluate", *asked)
    assert ended.returncode == 0, ended.stderr
    before = ended.stdout[: ended.stdout.index("benchmark_drawn")]
    assert "data.drawn: " in before
    assert "limit 7" in before
    assert "sampling: temperature 0.0" in before
    assert "rows [policy, policy_notool]" in before
    assert "Policy, no operations" in ended.stdout
    assert "What operations gain and harm" in ended.stdout
    states = task_states(page, latest_flow_run(page)["id"])
    answered = {"answers_drawn_policy", "answers_drawn_policy_notool"}
    new = {"benchmark_drawn", *answered, "scores_drawn", "benchmarks"}
    assert set(states) == {"ingest", *new}, "another model's stage, or training"

    again = trained("evaluate", *asked, "--set", "benchmarks.scoring.graders=upstream_code")
    assert again.returncode == 0, again.stderr
    states = task_states(page, latest_flow_run(page)["id"])
    assert {name for name, state in states.items() if state["name"] == "Completed"} == {
        "scores_drawn",
        "benchmarks",
    }, "scoring differently generated answers"

    assert "52.0" in trained.here("show", "scores_drawn").output
    shown = json.loads(trained.here("show", "scores_drawn", "--json").output)
    assert shown["benchmark"] == "drawn"
    page_at = str(trained.store / "benchmarks.html")
    assert page_at in trained.here("show", "benchmarks").output.replace("\n", "")
    assert "answers_drawn_policy" in trained.here("show", "answers_drawn_policy").output


def test_a_checkpoint_is_evaluated_where_nothing_was_trained(
    pixel: Pixel, page: LocalServer
) -> None:
    pixel = Pixel(pixel.store, pixel.environment, SCRIPT)
    none = pixel.here("evaluate", "--benchmark", "vstar")
    assert none.exit_code == 2
    assert "no run of profile 'tiny'" in none.output
    assert "--until rl" in none.output
    checkpoint = ("--set", "base_model.source=pretrained", "--set")
    path = "base_model.pretrained.path=/models/some-checkpoint"
    ended = pixel("evaluate", "--benchmark", "vstar", "--model", "base", *checkpoint, path)
    assert ended.returncode == 0, ended.stderr
    assert set(task_states(page, latest_flow_run(page)["id"])) == {
        "benchmark_vstar",
        "base_model",
        "answers_vstar_base",
        "scores_vstar",
        "benchmarks",
    }


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--model", "policy"), "--benchmark NAME"),
        (("--benchmark", "drawn", "--set", "rl.steps=9"), "would change nothing"),
        (("--benchmark", "drawn", "--set", "base_model.seed=9"), "--model base"),
        (("--benchmark", "drwan"), "'drawn'"),
    ],
)
def test_what_would_change_nothing_is_refused(
    arguments: tuple[str, ...], remedy: str, tmp_path: Path
) -> None:
    ended = Pixel(tmp_path).here("evaluate", *arguments)
    assert ended.exit_code == 2
    assert remedy in ended.output


def test_a_model_that_is_gone_is_told_before_anything_is_made(trained: Pixel) -> None:
    shutil.rmtree(trained.store / "artifacts" / "rl")
    ended = trained.here("evaluate", "--benchmark", "drawn")
    assert ended.exit_code == 2
    assert "the rl of run" in ended.output
    assert "pixel run --until rl" in ended.output
