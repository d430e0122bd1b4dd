"""``prefect deploy`` of deployments/prefect.yaml, its schedules, and a real worker's runs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from operating import ROOT, Operator, needs_scheduler

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, RunRecord, Store
from pixel_core.workflow.table import BY_NAME

pytestmark = pytest.mark.ci

FILE = "deployments/prefect.yaml"
STAGES = ("ingest", "annotate", "synthesize")
LONDON = ZoneInfo("Europe/London")
#: Generous: other work may share the machine.
LIMIT_S = 180.0


@pytest.fixture(scope="module")
def deployed(operator: Operator) -> Operator:
    """Both pools and all four deployments."""
    template = json.loads((ROOT / "deployments" / "kubernetes-pool.json").read_text())
    operator.post("work_pools/", {"name": "pixel-processes", "type": "process"})
    operator.post(
        "work_pools/",
        {"name": "pixel-kubernetes", "type": "kubernetes", "base_job_template": template},
    )
    names = [
        f"--name={what}-{pool}"
        for what in ("weekly-retraining", "nightly-evaluation")
        for pool in ("processes", "kubernetes")
    ]
    operator("deploy", "--prefect-file", FILE, *names, PIXEL_IMAGE="registry.test/pixel:1")
    return operator


def deployment(operator: Operator, name: str) -> dict[str, Any]:
    flow = "pixel-evaluation" if name.startswith("nightly") else "pixel-reasoner"
    return operator.get(f"deployments/name/{flow}/{name}")


@needs_scheduler
@pytest.mark.parametrize("pool", ["processes", "kubernetes"])
def test_weekly_and_nightly_runs_come_due_at_the_named_hours(
    deployed: Operator, pool: str
) -> None:
    for name, hours in (("weekly-retraining", (4, 22)), ("nightly-evaluation", (None, 3))):
        found = deployment(deployed, f"{name}-{pool}")
        assert found["work_pool_name"] == f"pixel-{pool}"
        assert found["parameters"] == {"profile": "deployments/site.toml"}
        [schedule] = found["schedules"]
        assert schedule["active"]
        assert schedule["schedule"]["timezone"] == "Europe/London"
        for due in upcoming(deployed, found["id"]):
            weekday, hour = hours
            assert (due.hour, due.minute) == (hour, 0)
            assert weekday is None or due.weekday() == weekday
    assert found["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert found["global_concurrency_limit"]["limit"] == 1
    if pool == "kubernetes":
        assert found["job_variables"]["image"] == "registry.test/pixel:1"


def upcoming(operator: Operator, deployment_id: str) -> list[datetime]:
    """When the scheduler has planned runs, in London."""
    query = {"deployments": {"id": {"any_": [deployment_id]}}}
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        runs = operator.post("flow_runs/filter", query)
        if len(runs) >= 3:
            times = [datetime.fromisoformat(run["expected_start_time"]) for run in runs]
            return [moment.astimezone(LONDON) for moment in times]
        time.sleep(0.2)
    raise AssertionError("the scheduler planned no runs")


@pytest.fixture
def worker(deployed: Operator, tmp_path: Path) -> Iterator[None]:
    """A worker of the process pool, on a store of its own."""
    process = deployed.start(
        *("worker", "start", "--pool", "pixel-processes", "--type", "process", "--limit", "1"),
        PIXEL_HOME=str(ROOT),
        PIXEL_STORE=str(tmp_path / "store"),
    )
    yield
    process.terminate()
    print(process.communicate(timeout=30)[0])  # shown where a test failed


@needs_scheduler
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_new_data_is_trained_on_when_the_next_run_is_due(
    deployed: Operator, worker: None, tmp_path: Path
) -> None:
    """Two scheduled runs up to synthesis, after an earlier one by hand: everything is reused,
    and after an edit of one question everything that depends on it is built."""
    data = tmp_path / "cards"
    shutil.copytree(ROOT / "examples" / "cards", data)
    manifest = data / "manifest.jsonl"
    overrides = [f"ingest.manifest.path={manifest}"]
    store = Store.open(str(tmp_path / "store"))
    by_hand(load_profile("example", overrides), store)
    weekly = deployment(deployed, "weekly-retraining-processes")
    parameters = {"profile": "example", "until": "synthesize", "overrides": overrides}
    deployed.patch(f"deployments/{weekly['id']}", {"parameters": parameters})

    unchanged = scheduled(deployed, weekly, store)
    assert statuses(unchanged) == dict.fromkeys(STAGES, "reused")

    lines = manifest.read_text().splitlines()
    record = json.loads(lines[0])
    lines[0] = json.dumps(record | {"question": record["question"] + " Please."})
    manifest.write_text("\n".join(lines) + "\n")
    changed = scheduled(deployed, weekly, store)
    assert statuses(changed) == dict.fromkeys(STAGES, "built")


def by_hand(config: PipelineConfig, store: Store) -> None:
    made: dict[str, Artifact] = {}
    for name in STAGES:
        made[name] = run_stage(BY_NAME[name], config, made, store).artifact


def scheduled(operator: Operator, weekly: dict[str, Any], store: Store) -> RunRecord:
    """Let a run of the deployment come due in a moment; its record once it has completed."""
    ended = completed(operator, weekly)
    # The scheduler plans no run in the past: on a busy machine it needs more notice.
    assert any(comes_due(operator, weekly, notice_s) for notice_s in (4, 10, 25, 60))
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if completed(operator, weekly) > ended:
            record = store.runs.latest()
            assert record is not None
            assert record.status == "finished"
            return record
        time.sleep(0.2)
    raise AssertionError("no scheduled run completed")


def comes_due(operator: Operator, weekly: dict[str, Any], notice_s: float) -> bool:
    """Add a weekly schedule that begins then; whether the scheduler planned its first run."""
    due = datetime.now(UTC) + timedelta(seconds=notice_s)
    week = timedelta(days=7).total_seconds()
    schedule = {"interval": week, "anchor_date": due.isoformat(), "timezone": "Europe/London"}
    path = f"deployments/{weekly['id']}/schedules"
    operator.post(path, [{"schedule": schedule, "active": True}])
    query = {
        "deployments": {"id": {"any_": [weekly["id"]]}},
        "flow_runs": {
            "expected_start_time": {
                "after_": (due - timedelta(seconds=1)).isoformat(),
                "before_": (due + timedelta(seconds=1)).isoformat(),
            }
        },
    }
    while datetime.now(UTC) < due + timedelta(seconds=1):
        if operator.post("flow_runs/filter", query):
            return True
        time.sleep(0.2)
    return False


def completed(operator: Operator, weekly: dict[str, Any]) -> int:
    """How many of the deployment's runs have; a failed one fails the test."""
    query = {"deployments": {"id": {"any_": [weekly["id"]]}}, "limit": 50}
    states = [run["state"] for run in operator.post("flow_runs/filter", query)]
    failed = [state for state in states if state["type"] in ("FAILED", "CRASHED", "CANCELLED")]
    assert not failed
    return sum(state["type"] == "COMPLETED" for state in states)


def statuses(record: RunRecord) -> dict[str, str]:
    return {name: stage.status for name, stage in record.stages.items()}
