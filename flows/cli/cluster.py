"""``pixel cluster check``: what the cluster's nodes are, and whether the profile runs there."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.terminal import errors
from flows.consoles import plain_console
from flows.request import RunRequest
from pixel_core.config import PipelineConfig
from pixel_core.errors import ClusterError, ConfigError
from pixel_core.workflow.cluster.cluster_state import ClusterState, ListedJob
from pixel_core.workflow.cluster.ready import Examination, examine, reach
from pixel_core.workflow.cluster.survey import NodeAnswer
from pixel_core.workflow.cluster.versions import public, wanted_versions
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.table import stages_of
from tasks.pace import duration

# ``pixel cluster jobs`` and ``stop``: this program's jobs on the cluster.


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


def check_cluster(request: RunRequest, as_json: bool) -> bool:
    """Print what every node said and what speaks against it; whether nothing does."""
    config = request.config()
    store = request.open_store(config)
    stages = [stage for stage in stages_of(config) if stage.place(config).on == "ray"]
    found = examine(config, store, stages, _say)
    if as_json:
        print(json.dumps(values(found, config, stages), indent=1))
    else:
        show(plain_console(), found, config, stages)
    return not found.errors


def _say(sentence: str) -> None:
    errors.print(Text(sentence, "dim"), soft_wrap=True)


def values(
    found: Examination, config: PipelineConfig, stages: Sequence[Stage]
) -> dict[str, Any]:
    """What ``--json`` prints: JSON values, with every node's own words."""
    return {
        "ready": not found.errors,
        "address": found.survey.address,
        "ray": found.survey.ray,
        "stages": [stage.name for stage in stages],
        "wanted": wanted_versions(config.cluster),
        "nodes": [
            {"name": node.name, "works": node.works, **node.model_dump(mode="json")}
            for node in found.survey.nodes
        ],
        "findings": [
            {
                "level": finding.level,
                "where": finding.where,
                "what": finding.what,
                "remedy": finding.remedy,
            }
            for finding in found.findings
        ],
    }


def show(
    console: Console, found: Examination, config: PipelineConfig, stages: Sequence[Stage]
) -> None:
    """Print a row a node, versions beside the wanted ones, variables, findings, the verdict."""
    survey = found.survey
    console.print(f"Ray {survey.ray} at {survey.address}", soft_wrap=True)
    console.print(_nodes(survey.nodes))
    console.print(_versions(survey.nodes, wanted_versions(config.cluster)))
    variables = _variables(survey.nodes)
    if variables.row_count:
        console.print(variables)
    for finding in found.findings:
        style = "red" if finding.level == "error" else "yellow"
        line = Text.assemble((f"{finding.level}: ", style), str(finding))
        console.print(line, soft_wrap=True)
    console.print(_verdict(found, stages), soft_wrap=True)


def _nodes(nodes: Sequence[NodeAnswer]) -> Table:
    table = _table("node", "CPUs", "GPUs", "memory", "disk free", "Python", "store")
    for node in nodes:
        table.add_row(
            node.name if node.works else f"{node.name} (takes no work)",
            f"{node.cpus:g}",
            _devices(node),
            f"{node.memory_gib:.0f} GiB",
            "" if node.failed else f"{node.disk_free_gib:.0f} GiB",
            node.python,
            _store(node),
        )
    return table


def _devices(node: NodeAnswer) -> Text:
    """``8 x NVIDIA H100 80 GiB``: as many as Ray offers, as the driver names them."""
    kinds = sorted({f"{name} {size:.0f} GiB" for name, size in node.devices})
    amount = f"{node.gpus:g}"
    return Text(f"{amount} x {', '.join(kinds)}" if kinds and node.gpus else amount)


def _store(node: NodeAnswer) -> Text:
    if node.failed:
        return Text("did not answer", "red")
    if node.store.shared:
        return Text(f"shared, {node.store.milliseconds:.0f} ms", "green")
    return Text("out of reach" if node.store.error else "another place", "red")


def _versions(nodes: Sequence[NodeAnswer], wanted: dict[str, str]) -> Table:
    """A row a package that matters; versions that several nodes share are told once."""
    table = _table("package", "wanted", "on the nodes")
    answered = [node for node in nodes if not node.failed]
    for name in wanted:
        there = _alike(answered, [_version(node, name) for node in answered])
        agreed = all(public(_version(node, name)) == wanted[name] for node in answered)
        table.add_row(name, wanted[name], Text(there, "green" if agreed else "red"))
    return table


def _version(node: NodeAnswer, package: str) -> str:
    if package == "python":
        return node.python.rpartition(".")[0]
    return node.packages.get(package) or "missing"


def _variables(nodes: Sequence[NodeAnswer]) -> Table:
    table = _table("variable", "on the nodes")
    answered = [node for node in nodes if not node.failed]
    for name in sorted({name for node in answered for name in node.variables}):
        values = [
            node.plain.get(name, "set" if name in node.hidden else "not set")
            for node in answered
        ]
        table.add_row(name, Text(_alike(answered, values)))
    return table


def _alike(nodes: Sequence[NodeAnswer], values: Iterable[str]) -> str:
    groups: dict[str, list[str]] = defaultdict(list)
    for node, value in zip(nodes, values, strict=True):
        groups[value].append(node.name)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in groups.items())


def _verdict(found: Examination, stages: Sequence[Stage]) -> Text:
    if found.errors:
        count = len(found.errors)
        return Text(f"not ready: {count} error{'s' if count > 1 else ''}", "red")
    if not stages:
        return Text("ready; but this profile runs no stage there (place.on = 'ray')", "green")
    return Text(f"ready for {', '.join(stage.name for stage in stages)}", "green")


def _table(*head: str) -> Table:
    return Table(*head, box=None, header_style="bold", pad_edge=False)
