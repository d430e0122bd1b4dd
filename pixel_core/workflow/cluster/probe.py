"""Asking every node of a cluster what it is, with one tiny job."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from pixel_core.config import ClusterConfig
from pixel_core.errors import ClusterError, StorageError
from pixel_core.workflow.cluster.cluster_state import ClusterState
from pixel_core.workflow.cluster.room import Room
from pixel_core.workflow.cluster.submission import runtime_env, store_address
from pixel_core.workflow.cluster.survey import ClusterSurvey, NodeAnswer, read_node
from pixel_core.workflow.store import Store, layout

MODULE = "pixel_core.workflow.cluster.probe_job"
#: Seconds that one node may take, code and all, and that the whole job may.
NODE_SECONDS, JOB_SECONDS = 180, 600
#: Variables whose value says nothing secret and may explain a run.
PLAIN = (
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "MAX_PIXELS",
    "MIN_PIXELS",
    "OMP_NUM_THREADS",
    "PIXEL_CACHE",
    "PYTORCH_CUDA_ALLOC_CONF",
)
PLAIN_PREFIXES = ("NCCL_", "GLOO_", "VLLM_")
#: Of these URLs only host and port are told.
HOSTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HF_ENDPOINT")
#: Of these only that they are set.
HIDDEN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LD_LIBRARY_PATH",
    "NO_PROXY",
)


def ask_nodes(
    state: ClusterState,
    cluster: ClusterConfig,
    store: Store,
    packages: Sequence[str],
    variables: Sequence[str],
    say: Callable[[str], None],
) -> ClusterSurvey:
    """Every node that is up, with what it said. ``variables``: further names to look for,
    whose values stay there.

    Raises ``ClusterError`` when the job can't run or ends without an answer, and
    ``StorageError`` when the store can't be written from here.
    """
    with _challenge(store) as (folder, digest):
        mark = f"pixel-probe-{secrets.token_hex(8)}"
        question = {
            "mark": mark,
            "seconds": NODE_SECONDS,
            "packages": list(packages),
            "plain": PLAIN,
            "prefixes": PLAIN_PREFIXES,
            "hosts": HOSTS,
            "hidden": [*HIDDEN, *variables],
            "store": {
                "uri": store_address(cluster, store.uri),
                "folder": folder,
                "sha256": digest,
            },
        }
        rooms = state.rooms()
        say(f"asking {len(rooms)} node{'s' if len(rooms) != 1 else ''} of {state.address}")
        lines = _run(state, cluster, mark, json.dumps(question), say)
        answers = [_settled(read_node(line), store, folder) for line in lines]
        answers += _silent(rooms, answers, state.address)
    answers.sort(key=lambda node: (-node.gpus, -node.cpus, node.name))
    return ClusterSurvey(address=state.address, ray=state.ray_version(), nodes=tuple(answers))


@contextmanager
def _challenge(store: Store) -> Iterator[tuple[str, str]]:
    """Bytes that nobody else has, in the store: a node that sees them sees this store, and
    not a folder that merely has the same name."""
    folder, data = f"{layout.STAGING}/probe-{secrets.token_hex(8)}", secrets.token_bytes(64)
    try:
        store.storage.write(f"{folder}/challenge", data)
        yield folder, hashlib.sha256(data).hexdigest()
    finally:
        with suppress(StorageError):  # what went wrong before matters more
            store.storage.delete_folder(folder)


def _settled(node: NodeAnswer, store: Store, folder: str) -> NodeAnswer:
    """With whether the node's own answer can be read here."""
    if not node.store.seen:
        return node
    challenge = store.storage.read(f"{folder}/challenge")
    answer = store.storage.read(f"{folder}/{node.node}")
    answered = challenge is not None and answer == challenge[::-1]
    return node.model_copy(
        update={"store": node.store.model_copy(update={"answered": answered})}
    )


def _silent(
    rooms: Mapping[str, Room], answers: Sequence[NodeAnswer], address: str
) -> list[NodeAnswer]:
    """The nodes that were up and gave no answer; others may have joined since."""
    answered = {node.node for node in answers}
    if answered and not answered & set(rooms):
        raise ClusterError(
            f"none of the nodes that answered belong to {address}: several Ray clusters run on "
            "its head's machine, and a job there joins another one. Start each with a "
            "--temp-dir of its own"
        )
    return [
        NodeAnswer(
            node=node,
            address=room.name,
            cpus=room.cpus,
            gpus=room.gpus,
            memory_gib=room.memory_gib,
            failed="it gave no answer",
        )
        for node, room in rooms.items()
        if node not in answered
    ]


def _run(
    state: ClusterState,
    cluster: ClusterConfig,
    mark: str,
    question: str,
    say: Callable[[str], None],
) -> list[str]:
    """The job's answers, one JSON text a node; the job is gone afterwards."""
    body = {
        "entrypoint": shlex.join(["python", "-m", MODULE, question]),
        "runtime_env": runtime_env(cluster, state),
        "metadata": {"started_by": "pixel", "purpose": "probe"},
    }
    state.submit(mark, body)
    try:
        _wait(state, mark, say)
        return _answers(state.whole_log(mark), mark)
    finally:
        _remove(state, mark)


def _wait(state: ClusterState, job: str, say: Callable[[str], None]) -> None:
    started, told, pause = time.monotonic(), time.monotonic(), 0.2
    while True:
        found = state.find(job)
        if found is None:
            raise ClusterError(f"{state.address} forgot the job {job}: was it started anew?")
        if not found.alive:
            if found.status != "SUCCEEDED":
                raise ClusterError(_failed(state, job, found.message or ""))
            return
        now = time.monotonic()
        if now - started > JOB_SECONDS:
            raise ClusterError(
                f"the job that asks the nodes is {found.status} after {JOB_SECONDS} s "
                f"({found.message or 'Ray says no more'}): look at {state.address}"
            )
        if now - told > 10:
            told = now
            say(f"the nodes have not answered for {now - started:.0f} s ({found.status})")
        time.sleep(pause)
        pause = min(1.0, pause * 1.3)


def _answers(log: str, mark: str) -> list[str]:
    lines = [line.partition(mark)[2].strip() for line in log.splitlines() if mark in line]
    answers = [line for line in lines if line.startswith("{")]
    if not answers:
        raise ClusterError(
            "the job that asks the nodes ended without an answer; its log ends:\n"
            f"{_end_of(log)}"
        )
    return answers


def _failed(state: ClusterState, job: str, message: str) -> str:
    log = state.whole_log(job)
    text = f"the job that asks the nodes failed: {message.strip()}\n{_end_of(log)}".strip()
    if "No module named" in log:
        text += (
            '\nThe nodes lack a package: cluster.code = "upload" brings our own code, the rest '
            "is part of the nodes' image"
        )
    return text


def _end_of(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return "\n".join(lines[-12:])[-1500:]


def _remove(state: ClusterState, job: str) -> None:
    """Out of the cluster's list of jobs; one that still runs is stopped."""
    with suppress(ClusterError):  # what went wrong before matters more
        state.stop(job)
        state.delete(job)
