"""Running one stage as a job on the Ray cluster: decide here, compute there.

The job calls the same ``run_stage`` on a node. Here the same decision is made, one control
plane at a time submits and follows, and the artifact is then read from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from pixel_core.config import PipelineConfig
from pixel_core.workflow.cluster.attempts import Computation
from pixel_core.workflow.cluster.following import Listener
from pixel_core.workflow.cluster.job_file import JobFile
from pixel_core.workflow.cluster.jobs_api import JobsApi
from pixel_core.workflow.planning import decide
from pixel_core.workflow.runner import StageOutcome, is_done, is_newer, reused, waiting_for
from pixel_core.workflow.stage import Progress, SilentProgress, Stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.store.manifest import InputRef
from pixel_core.workflow.store.source import source_hashes


def run_on_cluster(
    stage: Stage,
    config: PipelineConfig,
    inputs: Mapping[str, Artifact],
    store: Store,
    *,
    forced: bool = False,
    generation: str | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    patience: Callable[[], None] = lambda: None,
    log: Callable[[str], None] = lambda line: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> StageOutcome:
    """As ``runner.run_stage``, with the work done by a job on ``config.cluster``.

    ``log`` hears the lines of the job's log that are no events. When the call is interrupted
    the job goes on, and the next call follows it again, unless ``cancelled`` says that the
    work is not wanted any more: then the job is stopped. Raises what the stage raised there,
    ``ClusterError``, and ``StageFailed`` after the last attempt.
    """
    started = time.monotonic()
    inputs = {name: inputs[name] for name in stage.needs}
    decision = decide(stage, config, inputs, store, forced=forced)
    if decision.action == "reuse" or is_done(decision, generation):
        return reused(decision, store, started)
    parts = identity(stage, config, {name: item.digest for name, item in inputs.items()})
    key = key_of(parts)
    waiting = waiting_for(stage, say)
    listener = Listener(progress or SilentProgress(), say, log, patience)
    # A lease of its own: the computation's is held by the job.
    with store.lease(f"{stage.name}.submission", key, waiting, patience):
        with ExitStack() as held:
            unfinished = store.unfinished(stage.name, key)
            goes_on = _goes_on(unfinished, forced, generation)
            if not goes_on:
                # A new workspace sweeps the old one away: not from under a computation. Going
                # on does not wait, for what holds that lease may be the very job to follow.
                held.enter_context(store.lease(stage.name, key, waiting, patience))
            again = decide(stage, config, inputs, store, forced=forced)
            if (
                again.action == "reuse"
                or is_done(again, generation)
                or is_newer(again, decision)
            ):
                return reused(again, store, started, "another run made it meanwhile")
            work = store.workspace(
                stage.name,
                key,
                fresh=forced and not goes_on,
                generation=unfinished if goes_on else generation,
            )
        file = JobFile(
            stage=stage,
            config=config,
            inputs={name: _reference(item) for name, item in inputs.items()},
            key=key,
            generation=work.generation,
            forced=forced,
            source=source_hashes(stage, config),
        )
        api = JobsApi(config.cluster.address, config.cluster.timeout_s)
        try:
            jobs = Computation(file, work, store, api, listener, cancelled, again.artifact)
            artifact = jobs.run()
        finally:
            api.close()
    store.remember(artifact)
    return StageOutcome(artifact, "built", again.reason, time.monotonic() - started)


def _goes_on(unfinished: str | None, forced: bool, generation: str | None) -> bool:
    """Whether the computation that was begun and not ended is the one asked for."""
    if unfinished is None:
        return False
    return generation == unfinished if generation is not None else not forced


def _reference(artifact: Artifact) -> InputRef:
    return InputRef(key=artifact.key, digest=artifact.digest)
