"""Running one stage: decide, hold the key, work in a staging folder, commit."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.workflow.planning import Decision, decide
from pixel_core.workflow.stage import Progress, SilentProgress, Stage, StageContext
from pixel_core.workflow.store import Artifact, Store, StoredWorkspace
from pixel_core.workflow.store.commit import Draft
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.store.lease import ProcessId
from pixel_core.workflow.store.local_storage import remove_tree
from pixel_core.workflow.store.named_function import named_function
from pixel_core.workflow.store.source import source_hashes

#: A stage that spends money keeps a JSON table of numbers under this name in its workspace
#: (``{"usd": 0.12, "prompt_tokens": 5120}``); it ends up in the manifest, outside the digest.
COSTS = "costs.json"


@dataclass(frozen=True)
class StageOutcome:
    """A stage's artifact, and how it was come by."""

    artifact: Artifact
    status: Literal["reused", "built"]
    reason: str
    #: Wall time of the whole call, waiting for another run included.
    seconds: float
    warning: str = ""


def run_stage(
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
) -> StageOutcome:
    """The stage's artifact, reused or made; ``say`` hears one sentence for each event.

    ``patience`` is asked again and again while another run computes the stage; it may raise.

    ``generation`` names a computation: give the same one to retry a forced run without
    starting it over. What a failed or interrupted stage put in its workspace is kept and
    picked up by the next call, unless that one is forced. Raises what the stage raises,
    ``StorageError``, ``IdentityError`` and ``LeaseLost``.
    """
    started = time.monotonic()
    inputs = {name: inputs[name] for name in stage.needs}
    decision = decide(stage, config, inputs, store, forced=forced)
    if decision.action == "reuse" or is_done(decision, generation):
        return reused(decision, store, started)
    parts = identity(stage, config, {name: item.digest for name, item in inputs.items()})
    key = key_of(parts)
    with store.lease(stage.name, key, waiting_for(stage, say), patience) as lease:
        again = decide(stage, config, inputs, store, forced=forced)
        if again.action == "reuse" or is_done(again, generation) or is_newer(again, decision):
            return reused(again, store, started, "another run made it meanwhile")
        say(f"running {stage.name}: {again.reason}")
        work = store.workspace(stage.name, key, fresh=forced, generation=generation)
        context = StageContext(
            config=config,
            inputs={name: artifact.local(stage.unread) for name, artifact in inputs.items()},
            out=store.staging(stage.name, key, work.generation),
            work=work,
            progress=progress or SilentProgress(),
            shared=store.notes(stage.name, f"{key[:16]}-{work.generation}", patience),
            cache=store.cache(stage.name),
            costs={name: artifact.manifest.costs for name, artifact in inputs.items()},
            timings={name: artifact.manifest.timings for name, artifact in inputs.items()},
            artifacts=inputs,
        )
        try:
            draft = _computed(stage, context, parts, inputs, work, time.monotonic() - started)
            _refuse_changed_source(stage, config, inputs, key)
            artifact = store.commit(draft, lease)
        finally:
            remove_tree(context.out)
        store.remember(artifact)
        store.drop_workspace(stage.name, key)
    return StageOutcome(artifact, "built", again.reason, time.monotonic() - started)


def _computed(
    stage: Stage,
    context: StageContext,
    parts: Mapping[str, Any],
    inputs: Mapping[str, Artifact],
    work: StoredWorkspace,
    waited: float,
) -> Draft:
    source = source_hashes(
        stage, context.config
    )  # before the run: the code that is about to be imported
    started, used = time.monotonic(), _cpu_seconds()
    metrics = named_function(stage.function(context.config))(context, **stage.arguments)
    return Draft(
        parts=parts,
        inputs=inputs,
        generation=work.generation,
        files=context.out,
        metrics=metrics or {},
        timings={
            "waited_seconds": waited,
            "run_seconds": time.monotonic() - started,
            "cpu_seconds": _cpu_seconds() - used,
        },
        costs=_costs(work),
        source=source,
    )


def _refuse_changed_source(
    stage: Stage, config: PipelineConfig, inputs: Mapping[str, Artifact], key: str
) -> None:
    """A manifest edited while it was read must not be stored under the key it had before."""
    if not stage.fingerprint:
        return
    parts = identity(stage, config, {name: item.digest for name, item in inputs.items()})
    if key_of(parts) != key:
        raise DataError(
            f"what {stage.name} reads changed while it was being read; nothing was stored. "
            "Run again once the files are complete"
        )


def _costs(work: StoredWorkspace) -> dict[str, float]:
    data = work.get(COSTS)
    return json.loads(data) if data else {}


def _cpu_seconds() -> float:
    """User and system time of this process; training workers are processes of their own."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def is_done(decision: Decision, generation: str | None) -> bool:
    """A forced computation that is retried by its name may have been committed before."""
    artifact = decision.artifact
    return (
        generation is not None
        and artifact is not None
        and artifact.manifest.generation == generation
    )


def is_newer(now: Decision, before: Decision) -> bool:
    """Another run committed since we decided; that is as fresh as a forced run asks for."""
    if now.artifact is None:
        return False
    return (
        before.artifact is None
        or before.artifact.manifest.generation != now.artifact.manifest.generation
    )


def reused(decision: Decision, store: Store, started: float, reason: str = "") -> StageOutcome:
    assert decision.artifact is not None  # what "reuse" means
    store.remember(decision.artifact)
    seconds = time.monotonic() - started
    return StageOutcome(
        decision.artifact, "reused", reason or decision.reason, seconds, decision.warning
    )


def waiting_for(stage: Stage, say: Callable[[str], None]) -> Callable[[ProcessId | None], None]:
    def tell(holder: ProcessId | None) -> None:
        who = str(holder) if holder else "another run"
        say(f"waiting for {who}, which computes {stage.name}")

    return tell
