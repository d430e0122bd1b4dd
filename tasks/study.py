"""One study: its record, its artifacts, and one thin Prefect task for each of its stages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed

from pixel_core.config import PipelineConfig
from pixel_core.evaluation.study.graph import Graph, Node
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.stage import Progress, SilentProgress, Stage
from pixel_core.workflow.store import Artifact, Store
from tasks.cancelling import Cancellation
from tasks.page import JobLog, PageProgress
from tasks.run import noted_run, noted_stage, run_placed


class StudyWatcher(Protocol):
    """Who follows a study beside Prefect's page; called from the threads of its stages."""

    def begin(self, graph: Graph, cores: int) -> None: ...

    def watch(self, node: Node, processes: int) -> AbstractContextManager[Progress]:
        """The progress of one node, shown while the block lasts."""

    def ended(self, node: Node, outcome: StageOutcome) -> None: ...

    def failed(self, node: Node, error: Exception, lost: set[str]) -> None:
        """``lost``: ids of the nodes that will not be made because of it."""

    def note(self, text: str) -> None: ...


class UnwatchedStudy:
    """For a study that nobody follows on a terminal; Prefect's page and log still do."""

    def begin(self, graph: Graph, cores: int) -> None:
        pass

    @contextmanager
    def watch(self, node: Node, processes: int) -> Iterator[Progress]:
        yield SilentProgress()

    def ended(self, node: Node, outcome: StageOutcome) -> None:
        pass

    def failed(self, node: Node, error: Exception, lost: set[str]) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class StudyRun:
    """What the stages of one study share.

    Its record is kept apart from those of ordinary runs, a stage under its node's label.
    """

    def __init__(
        self, config: PipelineConfig, graph: Graph, store: Store, watcher: StudyWatcher
    ) -> None:
        self.graph = graph
        self.store = store
        self.watcher = watcher
        #: Set to let every stage save and end.
        self.stopping = threading.Event()
        #: By node id, filled as nodes end.
        self.made: dict[str, Artifact] = {}
        self.errors: dict[str, Exception] = {}
        self._record = store.studies.start(config.name, config)

    def recorded(self) -> AbstractContextManager[None]:
        """Note how the study ends, whatever ends it."""
        return noted_run(self.store.studies, self._record.id)

    def make(
        self,
        label: str,
        stage: Stage,
        config: PipelineConfig,
        inputs: Mapping[str, Artifact],
        progress: Progress,
        say: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> StageOutcome:
        """The stage's artifact, reused or made; raises what ``run_placed`` raises, and
        ``KeyboardInterrupt``, after saving, once the study is stopping."""
        interruptible = Interruptible(progress, self.stopping)

        def made() -> StageOutcome:
            interruptible.patience()
            return run_placed(
                stage,
                config,
                inputs,
                self.store,
                progress=interruptible,
                say=say,
                patience=interruptible.patience,
                log=JobLog(say).line,
                cancelled=cancelled,
            )

        return noted_stage(self.store.studies, self._record.id, label, made)


class Interruptible:
    """Progress that interrupts the stage that reports it.

    Ctrl-C reaches the main thread alone; the stages of a study work in others. The next step
    that one reports raises ``KeyboardInterrupt`` there, as Ctrl-C would: once, since it then
    saves and may report that too.
    """

    def __init__(self, below: Progress, stopping: threading.Event) -> None:
        self._below = below
        self._stopping = stopping
        self._told = False

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._below.update(done, total, **metrics)
        self.patience()

    def note(self, text: str) -> None:
        self._below.note(text)

    def patience(self) -> None:
        if self._stopping.is_set() and not self._told:
            self._told = True
            raise KeyboardInterrupt


def node_task(node: Node) -> Task[..., Any]:
    """The Prefect task of one node, named for its stage; its run is named for the cell."""
    return _make.with_options(
        name=node.stage.name, description=node.stage.summary, task_run_name=node.label
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def _make(study: StudyRun, node: Node, processes: int) -> State[str]:
    log = get_run_logger()
    config = node.cells[0].config
    runtime = config.runtime.model_copy(update={"workers": processes})
    inputs = {
        name: study.made[need] for name, need in zip(node.stage.needs, node.needs, strict=True)
    }
    try:
        with study.watcher.watch(node, processes) as shown:
            progress = PageProgress(node.label, shown, log)
            outcome = study.make(
                node.label,
                node.stage,
                config.model_copy(update={"runtime": runtime}),
                inputs,
                progress,
                log.info,
                Cancellation(log).asked_for,
            )
    except KeyboardInterrupt:
        # Of this thread alone: the flow knows, and says so.
        return Cancelled(message="stopped; the same command goes on from what was saved")
    except Exception as error:
        study.errors[node.id] = error
        raise
    study.made[node.id] = outcome.artifact
    study.watcher.ended(node, outcome)
    return _state(outcome)


@task(name="study", task_run_name="study", cache_policy=NO_CACHE, persist_result=False)
def compare(
    study: StudyRun, stage: Stage, config: PipelineConfig, inputs: Sequence[Artifact]
) -> State[str]:
    """The study's own stage; ``inputs`` in the order of its needs."""
    log = get_run_logger()
    named = dict(zip(stage.needs, inputs, strict=True))
    progress = PageProgress("study", SilentProgress(), log)
    cancelled = Cancellation(log).asked_for
    outcome = study.make(stage.name, stage, config, named, progress, log.info, cancelled)
    study.made[stage.name] = outcome.artifact
    return _state(outcome)


def _state(outcome: StageOutcome) -> State[str]:
    reused = outcome.status == "reused"
    return Completed(
        name="Cached" if reused else "Completed",
        message=f"{outcome.status} because {outcome.reason}",
        data=f"{outcome.artifact.stage}/{outcome.artifact.key}",
    )
