"""A stage as a Ray job.

    python -m pixel_core.workflow.cluster.job STORE STAGE KEY GENERATION ATTEMPT

Runs on a node of the cluster. It reads the job's file from the store, and then does what
``pixel run`` does at home: ``run_stage`` takes the key's lease, reads the inputs from the
store, goes on from the workspace's checkpoints and commits.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType

from pixel_core.errors import ClusterError, PixelError
from pixel_core.workflow.cluster.job_events import EventWriter
from pixel_core.workflow.cluster.job_file import JobFailure, JobFile
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, Store, StoredWorkspace
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.store.source import changed_rooms, source_hashes

_SAME_STORE = (
    "Do the nodes reach the same store as the control plane? cluster.store names it as they "
    "see it"
)
FAILED = 1
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when the artifact is in the store."""
    address, stage, key, generation, attempt = arguments
    _stop_like_ctrl_c()
    events = EventWriter(sys.stdout)
    work: StoredWorkspace | None = None
    try:
        store = Store.open(address)
        if store.unfinished(stage, key) == generation:
            work = store.workspace(stage, key, generation=generation)
            _compute(JobFile.get(work), (stage, key, generation), store, events)
        else:
            _expect_made(store, stage, key)
            events.say(f"{stage} was made meanwhile; nothing is left to do")
    except KeyboardInterrupt:
        events.end("stopped; what was saved is kept in the store")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border of a process: the text must get across
        ending = JobFailure.of(error)
        if not isinstance(error, PixelError):
            traceback.print_exc()
        try:
            if work is not None:
                ending.put(work, int(attempt))
        finally:
            events.end(ending.model_dump_json())
        return FAILED
    events.end()
    return 0


def _compute(
    file: JobFile, asked: tuple[str, str, str], store: Store, events: EventWriter
) -> None:
    stage, config = file.stage, file.config
    if (stage.name, file.key, file.generation) != asked:
        raise ClusterError(f"the job's file is of {stage.name}/{file.key}, not of {asked}")
    inputs = _inputs(file, store)
    digests = {name: item.digest for name, item in inputs.items()}
    found = key_of(identity(stage, config, digests))
    if found != file.key:
        raise ClusterError(
            f"the nodes' code makes another key of {stage.name} ({found[:12]}… instead of "
            f"{file.key[:12]}…): it is not the control plane's version, or a file that the key "
            'depends on differs there. cluster.code = "upload" brings the same code'
        )
    rooms = changed_rooms(file.source, source_hashes(stage, config))
    if rooms:
        events.say(f"the nodes' code of {', '.join(rooms)} is not the control plane's")
    run_stage(
        stage,
        config,
        inputs,
        store,
        forced=file.forced,
        generation=file.generation,
        progress=events,
        say=events.say,
    )


def _expect_made(store: Store, stage: str, key: str) -> None:
    """A job that waited long may find its computation ended, or another in its place."""
    if store.load(stage, key) is None:
        raise ClusterError(
            f"{store.uri} holds neither this computation of {stage} ({key[:12]}…) nor what it "
            f"was to make. {_SAME_STORE}"
        )


def _inputs(file: JobFile, store: Store) -> Mapping[str, Artifact]:
    inputs = {}
    for name, wanted in file.inputs.items():
        artifact = store.load(name, wanted.key)
        if artifact is None or artifact.digest != wanted.digest:
            raise ClusterError(
                f"{store.uri} does not hold the {name} ({wanted.key[:12]}…) that this job is "
                f"to read. {_SAME_STORE}; if another run replaced it meanwhile, run again"
            )
        inputs[name] = artifact
    return inputs


def _stop_like_ctrl_c() -> None:
    """Ray ends a job by a signal, which it may have inherited as blocked: let work be saved."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    # As on the command line: read when the libraries load, so set before anything heavy is.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    sys.exit(main(sys.argv[1:]))
