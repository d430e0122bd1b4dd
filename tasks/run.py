"""One run of the pipeline: what its stages share, and the record it keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from pixel_core.config import PipelineConfig
from pixel_core.workflow.cluster.remote import run_on_cluster
from pixel_core.workflow.planning import check_foreseen, forced_stages, stages_until
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Progress, SilentProgress, Stage
from pixel_core.workflow.store import Artifact, RunRecord, StageRun, Store
from pixel_core.workflow.store.layout import new_id
from pixel_core.workflow.store.runs import Runs, RunStatus
from pixel_core.workflow.table import stages_of

# Running a stage where its settings place it: in this process, or on the Ray cluster.


def run_placed(
    stage: Stage,
    config: PipelineConfig,
    inputs: Mapping[str, Artifact],
    store: Store,
    *,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
    **options: Any,
) -> StageOutcome:
    """``options`` are those of ``run_stage``; ``log`` and ``cancelled`` matter on a cluster."""
    if stage.place(config).on == "ray":
        return run_on_cluster(
            stage, config, inputs, store, log=log, cancelled=cancelled, **options
        )
    return run_stage(stage, config, inputs, store, **options)


# What a run's record hears: how the run ends and how each stage does, whatever ends them.


@contextmanager
def noted_run(runs: Runs, run_id: str) -> Iterator[None]:
    """Note how the run ends when the block does."""
    status: RunStatus = "interrupted"
    try:
        yield
        status = "finished"
    except Exception:
        status = "failed"
        raise
    finally:
        runs.finish(run_id, status)


def noted_stage(
    runs: Runs,
    run_id: str,
    label: str,
    make: Callable[[], StageOutcome],
    *,
    generation: str | None = None,
) -> StageOutcome:
    """What ``make`` returns, noted under ``label`` when it starts and when it ends; raises
    what it raises."""
    note = StageRun(stage=label, status="running", generation=generation)
    runs.record(run_id, note)
    ending = note.model_copy(update={"status": "interrupted"})
    try:
        outcome = make()
        ending = StageRun(
            stage=label,
            status=outcome.status,
            reason=outcome.reason,
            warning=outcome.warning,
            key=outcome.artifact.key,
            digest=outcome.artifact.digest,
            generation=outcome.artifact.manifest.generation,
            seconds=outcome.seconds,
            metrics=dict(outcome.artifact.metrics),
        )
    except Exception as error:
        ending = note.model_copy(update={"status": "failed", "reason": str(error)})
        raise
    finally:
        runs.record(run_id, ending)
    return outcome


#: How the generation of a forced computation begins.
FORCED = "forced-"


class Watcher(Protocol):
    """Who follows a run beside Prefect's page; the terminal is one."""

    def watch(self, stage: str) -> AbstractContextManager[Progress]:
        """The progress of one stage, shown while the block lasts."""

    def ended(self, stage: str, outcome: StageOutcome) -> None:
        """The stage has its artifact."""

    def note(self, text: str) -> None:
        """A sentence about the run as a whole."""


class Unwatched:
    """For a run that nobody follows on a terminal; Prefect's page and log still do."""

    @contextmanager
    def watch(self, stage: str) -> Iterator[Progress]:
        yield SilentProgress()

    def ended(self, stage: str, outcome: StageOutcome) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def address(artifact: Artifact) -> str:
    """What one stage's task hands to the next."""
    return f"{artifact.stage}/{artifact.key}"


class Run:
    """Makes stages one by one and keeps ``store.runs`` up to date.

    A forced stage works in a generation of its own, so that it never goes on from an older
    computation. When the latest run forced the same stage with the same configuration and
    was interrupted or killed, its generation is taken up: the same command goes on.
    """

    def __init__(
        self,
        config: PipelineConfig,
        store: Store,
        watcher: Watcher,
        *,
        force_from: str | None = None,
        until: str | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.watcher = watcher
        self.stages = stages_of(config)
        self.wanted = frozenset(stage.name for stage in stages_until(until, self.stages))
        self.forced = frozenset(forced_stages(force_from, self.stages)) & self.wanted
        #: By stage, filled as they end.
        self.outcomes: dict[str, StageOutcome] = {}
        earlier = store.runs.latest() if force_from else None
        self._record = store.runs.start(config.name, config)
        self._generation = self._take_up(earlier, force_from) if force_from else None

    def recorded(self) -> AbstractContextManager[None]:
        """Note how the run ends, whatever ends it."""
        return noted_run(self.store.runs, self._record.id)

    def make(
        self,
        stage: Stage,
        inputs: Sequence[str],
        progress: Progress,
        say: Callable[[str], None],
        *,
        log: Callable[[str], None] = lambda line: None,
        patience: Callable[[], None] = lambda: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> StageOutcome:
        """The stage's artifact, reused or made; raises what ``run_placed`` raises.

        ``inputs`` are addresses that this run's stages gave, in the order of the table.
        """
        made = {
            address(outcome.artifact): outcome.artifact for outcome in self.outcomes.values()
        }
        needed = {made[given].stage: made[given] for given in inputs}
        if tuple(needed) != stage.needs:
            raise ValueError(f"{stage.name} needs {stage.needs}, the recipe gives {[*needed]}")
        forced = stage.name in self.forced
        generation = self._generation if forced else None
        outcome = noted_stage(
            self.store.runs,
            self._record.id,
            stage.name,
            lambda: run_placed(
                stage,
                self.config,
                needed,
                self.store,
                forced=forced,
                generation=generation,
                progress=progress,
                say=say,
                log=log,
                patience=patience,
                cancelled=cancelled,
            ),
            generation=generation,
        )
        self.outcomes[stage.name] = outcome
        self.watcher.ended(stage.name, outcome)
        check_foreseen(outcome.artifact, self.wanted, self.stages)
        return outcome

    def keys(self) -> dict[str, str]:
        """Each ended stage's artifact key."""
        return {name: outcome.artifact.key for name, outcome in self.outcomes.items()}

    def _take_up(self, earlier: RunRecord | None, force_from: str) -> str:
        """The generation of forced stages: the broken-off earlier run's, or a new one."""
        if (
            earlier is not None
            and (earlier.status == "interrupted" or earlier.was_killed)
            and earlier.config == self._record.config
        ):
            known = earlier.stages.get(force_from)
            generation = known.generation if known else None
            if generation is not None and generation.startswith(FORCED):
                self.watcher.note(f"going on with the forced run of {earlier.started}")
                return generation
        return FORCED + new_id()
