"""The commands about jobs, on a real cluster."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from pixel_core.workflow.cluster.cluster_state import ClusterState

OURS = f"sft-{'0' * 16}-20261122T000000-a1b2c3-a2"


@pytest.mark.slow
def test_our_jobs_are_listed_and_stopped_and_others_are_not(ray_cluster):
    state, there = ClusterState(ray_cluster.address, 10), ("--set", _address(ray_cluster))
    mark = {"started_by": "pixel"}
    state.submit(OURS, {"entrypoint": "sleep 100", "metadata": mark})
    state.submit("somebody-elses", {"entrypoint": "sleep 100"})
    try:
        listed = CliRunner().invoke(app, ["cluster", "jobs", "--json", *there])
        jobs = {job["id"]: job for job in json.loads(listed.stdout)}
        assert "somebody-elses" not in jobs
        job = jobs[OURS]
        assert (job["id"], job["stage"], job["attempt"]) == (OURS, "sft", 2)
        assert job["status"] in ("PENDING", "RUNNING")

        other = CliRunner().invoke(app, ["cluster", "stop", "somebody-elses", *there])
        assert other.exit_code == 2
        assert state.find("somebody-elses").alive

        assert CliRunner().invoke(app, ["cluster", "stop", OURS, *there]).exit_code == 0
        assert state.find(OURS).status == "STOPPED"
        again = CliRunner().invoke(app, ["cluster", "stop", OURS, *there])
        assert "STOPPED" in again.stdout
    finally:
        state.stop("somebody-elses")
        state.close()


def _address(ray_cluster) -> str:
    return f"cluster.address={ray_cluster.address}"
