"""``pixel cluster jobs`` and ``stop``: this program's jobs on the cluster."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from dataclasses import asdict, dataclass

from rich.table import Table
from rich.text import Text

from flows.consoles import plain_console
from flows.request import RunRequest
from pixel_core.errors import ClusterError, ConfigError
from pixel_core.workflow.cluster.cluster_state import ClusterState, ListedJob
from pixel_core.workflow.cluster.ready import reach
from tasks.pace import duration

#: ``<stage>-<16 of the key>-<generation>-a<attempt>``
_ID = re.compile(r"(?P<stage>\w+?)-[0-9a-f]{16}-.+-a(?P<attempt>\d+)")
#: Seconds a job may take to save what it has; Ray ends it then.
STOP_SECONDS = 90
_STYLES = {"RUNNING": "green", "PENDING": "blue", "FAILED": "red", "STOPPED": "yellow"}


@dataclass(frozen=True)
class StageJob:
    """A stage's job; times in seconds."""

    id: str
    stage: str
    attempt: int
    status: str
    #: Since it was submitted.
    age: float
    #: From submission to its end, or to now.
    lasted: float


def print_jobs(request: RunRequest, as_json: bool) -> None:
    """Every attempt the cluster remembers, the latest first."""
    with closing(reach(request.config().cluster)) as state:
        found = [job for listed in state.jobs() if (job := _of_stage(listed)) is not None]
    if as_json:
        print(json.dumps([asdict(job) for job in found], indent=1))
        return
    console = plain_console()
    if not found:
        console.print(f"{state.address} knows no job of ours", soft_wrap=True)
        return
    head = ("stage", "attempt", "status", "started", "took", "id")
    table = Table(*head, box=None, header_style="bold", pad_edge=False)
    for job in found:
        table.add_row(
            job.stage,
            str(job.attempt),
            Text(job.status, _STYLES.get(job.status, "")),
            f"{duration(job.age)} ago",
            duration(job.lasted),
            job.id,
        )
    console.print(table, soft_wrap=True)


def stop_job(request: RunRequest, job_id: str) -> None:
    """Ask a job to end, and wait until it has. Raises ``ConfigError`` for a job that is not
    ours, ``ClusterError`` for one that does not end."""
    with closing(reach(request.config().cluster)) as state:
        listed = {job.submission_id: job for job in state.jobs()}
        job = _of_stage(listed[job_id]) if job_id in listed else None
        if job is None:
            raise ConfigError(
                f"{state.address} knows no job {job_id!r} of ours; see pixel cluster jobs"
            )
        console = plain_console()
        if not state.stop(job_id):
            console.print(f"it does not run any more: {job.status}", soft_wrap=True)
            return
        console.print(f"{job.stage} was asked to end; it saves what it has", soft_wrap=True)
        ended = _wait(state, job_id)
    console.print(
        f"{ended}. What it saved is kept: the next pixel run goes on from there", soft_wrap=True
    )


def _wait(state: ClusterState, job_id: str) -> str:
    limit = time.monotonic() + STOP_SECONDS
    while time.monotonic() < limit:
        job = state.find(job_id)
        if job is None or not job.alive:
            return job.status if job else "gone"
        time.sleep(0.3)
    raise ClusterError(
        f"the job {job_id} still runs {STOP_SECONDS} s after it was asked to end; look at "
        f"{state.address}"
    )


def _of_stage(job: ListedJob) -> StageJob | None:
    """None for what is not a stage's job of this program."""
    parts = _ID.fullmatch(job.submission_id or "")
    if not job.ours or parts is None:
        return None
    start = (job.start_time or 0) / 1000
    end = job.end_time / 1000 if job.end_time and not job.alive else time.time()
    return StageJob(
        id=parts.string,
        stage=parts["stage"],
        attempt=int(parts["attempt"]),
        status=job.status,
        age=max(0.0, time.time() - start),
        lasted=max(0.0, end - start),
    )
