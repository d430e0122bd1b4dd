"""One attempt at a computation as a Ray job: its id, its command, what it is sent with."""

from __future__ import annotations

import hashlib
import re
import shlex
from typing import Any

from pixel_core.config import ClusterConfig, PlaceConfig
from pixel_core.errors import ClusterError
from pixel_core.workflow.cluster import worker_python
from pixel_core.workflow.cluster.code_package import code_package, upload
from pixel_core.workflow.cluster.jobs_api import ClusterUnreachable, JobsApi
from pixel_core.workflow.store.environment import code_version

MODULE = "pixel_core.workflow.cluster.job"
#: Ray puts the id into names of files and actors.
_LONGEST = 120
#: How a job is asked to end. Training workers ignore Ctrl-C, so that the process that leads
#: them can let them save their step; Ray's usual SIGTERM goes to every process alike.
STOPPING = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": "60"}
#: Training uses one process a core; threads below would fight over the same cores.
_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def job_id(stage: str, key: str, generation: str, attempt: int) -> str:
    """``<stage>-<16 of the key>-<generation>-a<attempt>``; other characters become dashes."""
    name = f"{stage}-{key[:16]}-{generation}"
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if plain != name or len(plain) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        plain = f"{plain[: _LONGEST - 13]}-{digest}"
    return f"{plain}-a{attempt}"


def job_command(store: str, stage: str, key: str, generation: str, attempt: int) -> str:
    """The shell's command line, run by the ``python`` of the nodes' environment."""
    return shlex.join(["python", "-m", MODULE, store, stage, key, generation, str(attempt)])


def store_address(cluster: ClusterConfig, here: str) -> str:
    """The store's address on the nodes."""
    return cluster.store or here


def runtime_env(cluster: ClusterConfig, api: JobsApi) -> dict[str, Any]:
    """What every process of the job gets; uploads the code where that is asked for."""
    environment = {**_THREADS, **STOPPING, **cluster.environment}
    if cluster.code == "installed":
        return {"env_vars": environment, **worker_python.on_nodes()}
    package = code_package()
    upload(package, api)
    commit = code_version().get("commit")
    if commit:
        environment["PIXEL_COMMIT"] = commit
    return {
        "env_vars": environment,
        "working_dir": package.uri,
        **worker_python.on_nodes(),
    }


def submit(
    api: JobsApi, job: str, command: str, cluster: ClusterConfig, place: PlaceConfig
) -> None:
    """Start the job. An answer that got lost is not a second job: the id is looked up."""
    body = {
        "entrypoint": command,
        "runtime_env": runtime_env(cluster, api),
        "metadata": {"started_by": "pixel"},
        "entrypoint_num_cpus": place.cpus,
        "entrypoint_num_gpus": place.gpus,
        "entrypoint_memory": int(place.memory_gib * 2**30),
    }
    try:
        api.submit(job, body)
    except ClusterUnreachable:
        if api.find(job) is None:
            raise
    except ClusterError as error:
        if api.find(job) is None:
            raise ClusterError(f"the cluster refuses the job {job}: {error}") from error
