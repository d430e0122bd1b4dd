"""What Ray's HTTP API tells of a cluster beyond one job: its nodes, its list of jobs."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixel_core.errors import ClusterError
from pixel_core.nesting import loads
from pixel_core.workflow.cluster.jobs_api import JobsApi, RayJob
from pixel_core.workflow.cluster.room import Room


class ListedJob(RayJob):
    """A job in the list. ``submission_id`` is None for one that was not submitted."""

    submission_id: str | None = None
    end_time: int | None = None
    metadata: dict[str, str] | None = None

    @property
    def ours(self) -> bool:
        return (self.metadata or {}).get("started_by") == "pixel"


class _Node(BaseModel):
    model_config = ConfigDict(extra="ignore")

    node_id: str
    node_ip: str
    state: str
    resources_total: Annotated[dict[str, float], Field(default_factory=dict)]


class ClusterState(JobsApi):
    """``JobsApi`` with the questions that concern the whole cluster."""

    def rooms(self) -> dict[str, Room]:
        """What each node that is up has in all, by the node's id."""
        answer = self._json("GET", "/api/v0/nodes", params={"limit": 10_000, "detail": 1})
        try:
            listed: Any = answer["data"]["result"]["result"]
            nodes = [_Node.model_validate(item) for item in listed]
        except (KeyError, TypeError, ValidationError) as error:
            raise ClusterError(
                f"{self.address} lists its nodes in a form that is not Ray 2.55's: {error!r}"
            ) from error
        return {
            node.node_id: Room(
                node.node_ip,
                node.resources_total.get("CPU", 0.0),
                node.resources_total.get("GPU", 0.0),
                node.resources_total.get("memory", 0.0) / 2**30,
            )
            for node in nodes
            if node.state == "ALIVE"
        }

    def jobs(self) -> tuple[ListedJob, ...]:
        """Every job the cluster remembers, the latest first."""
        answer = self._sound(self._answer("GET", "/api/jobs/"))
        try:
            jobs = [ListedJob.model_validate(item) for item in loads(answer.content)]
        except (ValueError, TypeError) as error:
            raise ClusterError(
                f"{self.address} lists its jobs in a form that is not Ray 2.55's: {error!r}"
            ) from error
        return tuple(sorted(jobs, key=lambda job: -(job.start_time or 0)))

    def whole_log(self, job_id: str) -> str:
        """All that a job has printed."""
        path = f"/api/jobs/{quote(job_id, safe='')}/logs"
        return str(self._json("GET", path).get("logs") or "")

    def delete(self, job_id: str) -> None:
        """Out of the list; only a job that ended."""
        self._json("DELETE", f"/api/jobs/{quote(job_id, safe='')}")
