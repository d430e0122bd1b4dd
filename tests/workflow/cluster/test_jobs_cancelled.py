"""A cancelled flow run stops its job; one that is merely ended leaves it to the next.

Slow: a served deployment, three runs and two jobs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from job_bench import wait_until
from real_ray import RealRay
from real_runs import ended

from flows.cli.prefect_server import LocalServer

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FLOWS = HERE.parents[1] / "flows"


@dataclass
class Cluster:
    """Runs of the tiny pipeline whose ``sft`` is a job of four seconds or more."""

    ray: RealRay
    prefect: LocalServer
    store: Path

    def overrides(self, step_s: float) -> list[str]:
        environment = f'{{PYTHONPATH = "{FLOWS}", TINY_SFT_STEP_S = "{step_s}"}}'
        return [
            "sft.place.on=ray",
            f"cluster.address={self.ray.address}",
            f"cluster.environment={environment}",
        ]

    def start(self, script: Path, *arguments: str) -> subprocess.Popen[str]:
        # Prefect copies a served flow's folder to where it runs.
        home = self.store.parent / script.stem
        home.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(FLOWS),
                "PIXEL_STORE": str(self.store),
                "PREFECT_API_URL": self.prefect.api_url,
                "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            },
        )

    def run(self, step_s: float) -> subprocess.Popen[str]:
        """``pixel run`` until ``sft``, whose steps take so many seconds."""
        settings = [part for item in self.overrides(step_s) for part in ("--set", item)]
        return self.start(FLOWS / "tiny_pixel.py", "run", "--until", "sft", *settings)

    @contextmanager
    def served(self) -> Iterator[str]:
        """The id of the deployment, while a process serves it."""
        process = self.start(HERE / "serving.py")
        found: list[dict[str, Any]] = []
        try:
            wait_until(lambda: found.extend(self.ask("deployments/filter", {})) or bool(found))
            yield found[0]["id"]
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        return httpx.post(f"{self.prefect.api_url}/{path}", json=body, timeout=30).json()

    def state(self, run: str) -> str:
        answer = httpx.get(f"{self.prefect.api_url}/flow_runs/{run}", timeout=30).json()
        return answer["state"]["type"]

    def jobs(self) -> list[str]:
        """The statuses of this store's jobs, in the order of their attempts."""
        jobs = httpx.get(f"{self.ray.address}/api/jobs/", timeout=30).json()
        mine = [job for job in jobs if str(self.store) in job["entrypoint"]]
        mine = [job for job in mine if " sft " in job["entrypoint"]]
        return [job["status"] for job in sorted(mine, key=lambda job: job["submission_id"])]

    def wait_for_step(self, step: int) -> None:
        def reached() -> bool:
            saved = [path.read_bytes() for path in self.store.glob("work/sft/*/*/step")]
            return any(int(data.split()[1]) >= step for data in saved)

        wait_until(reached)


@pytest.fixture
def cluster(ray_cluster: RealRay, prefect_server: LocalServer, tmp_path: Path) -> Cluster:
    return Cluster(ray_cluster, prefect_server, tmp_path / "store")


def test_cancelling_a_run_on_the_page_stops_its_job(cluster: Cluster) -> None:
    with cluster.served() as deployment:
        settings = {"overrides": cluster.overrides(step_s=0.5), "until": "sft"}
        started = cluster.ask(
            f"deployments/{deployment}/create_flow_run",
            {"parameters": settings, "state": {"type": "SCHEDULED"}},
        )
        cluster.wait_for_step(2)
        cluster.ask(f"flow_runs/{started['id']}/set_state", {"state": {"type": "CANCELLING"}})
        wait_until(lambda: cluster.state(started["id"]) == "CANCELLED")
        wait_until(lambda: cluster.jobs() == ["STOPPED"])


def test_a_run_that_is_ended_leaves_its_job_to_the_next(cluster: Cluster) -> None:
    first = cluster.run(step_s=0.3)
    cluster.wait_for_step(2)
    first.terminate()
    out, err = first.communicate(timeout=60)
    assert first.returncode != 0
    assert "goes on; the same command follows it again" in out, out + err
    assert cluster.jobs() == ["RUNNING"]
    # On a busy machine the job may end before the second run meets it: no harm either.
    second = ended(cluster.run(step_s=0.3))
    assert second.returncode == 0, second.stderr
    assert cluster.jobs() == ["SUCCEEDED"]


def test_a_run_of_the_command_line_can_be_cancelled_on_the_page_too(cluster: Cluster) -> None:
    process = cluster.run(step_s=1.0)
    cluster.wait_for_step(1)
    query = {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    [run] = cluster.ask("flow_runs/filter", query)
    cluster.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "is stopped; what it saved is kept" in out
    wait_until(lambda: cluster.jobs() == ["STOPPED"])
