"""The beginning and the end of a recipe: opening the run, closing it with the scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from prefect.logging import get_run_logger

from flows.results import score_rows
from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.study.graph import Graph, Node, build_graph, plan_graph
from pixel_core.evaluation.study.matrix import Matrix, build_matrix
from pixel_core.training.stages import begin_workers
from pixel_core.workflow.cluster.layout import check_layout
from pixel_core.workflow.planning import (
    Decision,
    check_away,
    check_ready,
    forced_stages,
    plan,
    stages_until,
)
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.named_function import named_function
from pixel_core.workflow.table import MODELS, benchmark_stages, rows_of, stages_of
from tasks.page import scores_markdown, show_markdown, texts_written
from tasks.run import Run, Unwatched, Watcher

# What a run is asked for, in plain values; checked before any work or server starts.


#: What would happen to each stage, with what that was decided from.
Plan = tuple[PipelineConfig, Store, list[Decision]]


@dataclass(frozen=True)
class RunRequest:
    """The flow's parameters; the fields' names are the command line's."""

    profile: str = "tiny"
    overrides: tuple[str, ...] = ()
    #: Where artifacts are; None: ``PIXEL_STORE``, else the profile's ``runtime.store``.
    store: str | None = None
    force_from: str | None = None
    until: str | None = None
    #: Every byte of every artifact is read, whatever is known of it.
    verify: bool = False

    def config(self) -> PipelineConfig:
        """The profile. Refuses stages it has none of, and a forced one that would not be
        reached (``ConfigError``)."""
        config = load_profile(self.profile, self.overrides)
        stages = stages_of(config)
        forced_stages(self.force_from, stages)
        wanted = [stage.name for stage in stages_until(self.until, stages)]
        if self.force_from is not None and self.force_from not in wanted:
            raise ConfigError(
                f"--from {self.force_from} forces a stage that --until {self.until} does not "
                f"need; choose one of {', '.join(wanted)}"
            )
        return config

    def open_store(self, config: PipelineConfig) -> Store:
        place = self.store or os.environ.get("PIXEL_STORE") or config.runtime.store
        return Store.open(place, read_all=self.verify)

    def plan(self) -> Plan:
        """Reuse or run for each stage; raises every error that bad input can cause."""
        config = self.config()
        stages = stages_of(config)
        wanted = stages_until(self.until, stages)
        check_layout([stage for stage in wanted if stage.place(config).on == "ray"], config)
        store = self.open_store(config)
        decisions = plan(
            config, store, force_from=self.force_from, until=self.until, stages=stages
        )
        return config, store, decisions


# What an evaluation is asked for: which questions, and whose models answer them.


#: The stages that answer and score the run's own test questions.
TEST_QUESTIONS = ("ingest", *(f"answers_{model}" for model in MODELS), "evaluate")


@dataclass(frozen=True)
class TrainedModels:
    """Whose they are, and the key of each model's stage."""

    run: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class EvaluationRequest(RunRequest):
    """Nothing is trained: models are those of the profile's latest training run. Only a
    pretrained base model that is asked alone is made, since that is mere loading."""

    #: Also, beside the profile's benchmarks, the test questions that its data came with.
    test_questions: bool = True

    def stages(self, config: PipelineConfig) -> tuple[Stage, ...]:
        """The stages that may run, in the table's order."""
        names = {stage.name for stage in benchmark_stages(config)}
        names |= set(TEST_QUESTIONS) if self.test_questions else set()
        if "drawn" in config.benchmarks.names:
            names.add("ingest")
        if self.makes_base(config):
            names.add(MODELS["base"])
        return tuple(stage for stage in stages_of(config) if stage.name in names)

    def models(self, config: PipelineConfig) -> tuple[str, ...]:
        """The stages of the models that answer, in the table's order."""
        asked = set(MODELS) if self.test_questions else set()
        if config.benchmarks.names:
            asked |= {row.model for row in rows_of(config)}
        return tuple(stage for name, stage in MODELS.items() if name in asked)

    def makes_base(self, config: PipelineConfig) -> bool:
        alone = self.models(config) == (MODELS["base"],)
        return alone and config.base_model.source == "pretrained"

    def trained(self, config: PipelineConfig, store: Store) -> TrainedModels:
        """Of the latest run that has them all. Raises ``ConfigError`` where there is none."""
        needed = () if self.makes_base(config) else self.models(config)
        if not needed:
            return TrainedModels("", {})
        for run_id in reversed(store.runs.ids()):
            record = store.runs.get(run_id)
            if record is None or record.profile != config.name:
                continue
            made = {
                stage: record.stages[stage].key
                for stage in needed
                if stage in record.stages and record.stages[stage].status in ("built", "reused")
            }
            keys = {stage: key for stage, key in made.items() if key is not None}
            if len(keys) == len(needed):
                return TrainedModels(run_id, keys)
        raise ConfigError(
            f"no run of profile {config.name!r} in {store.uri} has made {', '.join(needed)} "
            f"yet: run the pipeline first, at least --until {needed[-1]}"
        )

    def plan(self) -> Plan:
        """As ``RunRequest.plan``, of ``stages`` alone, with the trained models given."""
        config = self.config()
        wanted = self.stages(config)
        check_layout([stage for stage in wanted if stage.place(config).on == "ray"], config)
        store = self.open_store(config)
        trained = self.trained(config, store)
        given = {
            stage: _loaded(store, stage, key, trained.run)
            for stage, key in trained.keys.items()
        }
        return config, store, plan(config, store, stages=wanted, given=given)


def unusable(stage: str, run: str, how: str) -> DataError:
    return DataError(
        f"the {stage} of run {run} can't be used: {how}. The pipeline makes it again: pixel "
        f"run --until {stage}"
    )


def _loaded(store: Store, stage: str, key: str, run: str) -> Artifact:
    found = store.load(stage, key)
    if found is None:
        raise unusable(stage, run, "it is gone")
    return found


# What a study is asked for, in plain values; checked before any work or server starts.


@dataclass(frozen=True)
class StudyRequest:
    """The flow's parameters; the fields' names are the command line's."""

    profile: str = "learning_trap"
    overrides: tuple[str, ...] = ()
    #: Where artifacts are; None: ``PIXEL_STORE``, else the profile's ``runtime.store``.
    store: str | None = None
    only: tuple[str, ...] = ()
    #: Every byte of every artifact is read, whatever is known of it.
    verify: bool = False
    #: The study's small form.
    quick: bool = False

    def open(self) -> tuple[Matrix, Graph, Store]:
        """Raises every error that bad input can cause."""
        matrix = build_matrix(self.profile, self.overrides, self.only, quick=self.quick)
        graph = build_graph(matrix)
        place = self.store or os.environ.get("PIXEL_STORE") or matrix.config.runtime.store
        return matrix, graph, Store.open(place, read_all=self.verify)

    def plan(self) -> tuple[Matrix, Graph, Store, list[tuple[Node, Decision]]]:
        """Also reuse or run for each distinct stage, none run."""
        matrix, graph, store = self.open()
        return matrix, graph, store, plan_graph(graph, store)


def check_study_ready(
    decided: list[tuple[Node, Decision]],
    store: Store,
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Raise what would stop a stage that is to run, before any of them has begun; ``say``
    hears what takes more than a moment."""
    for node, decision in decided:
        if decision.action == "run":
            config = node.cells[0].config
            if node.stage.ready:
                named_function(node.stage.ready)(config)
            check_away(config, store, [node.stage], say)


#: Set by the command line; a run that a Prefect worker starts has only the page.
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)

#: What the command line has planned and found ready, by its request: not done twice.
planned: ContextVar[tuple[RunRequest, Plan] | None] = ContextVar("planned", default=None)


@contextmanager
def followed(terminal: Watcher, request: RunRequest, plan: Plan) -> Iterator[None]:
    """Flows of the block are followed on the terminal, and go by the plan that was made."""
    tokens = watcher.set(terminal), planned.set((request, plan))
    try:
        yield
    finally:
        watcher.reset(tokens[0])
        planned.reset(tokens[1])


@contextmanager
def running(request: RunRequest) -> Iterator[Run]:
    """The run that a recipe's stages share; its record tells how the block ended.

    What a stage would miss later (a key) is raised now, before any of them has begun.
    """
    known = planned.get()
    if known is not None and known[0] == request:
        config, store, _ = known[1]
    else:
        config, store, decisions = request.plan()
        check_ready(
            config,
            store,
            decisions,
            stages_of(config),
            say=lambda told: get_run_logger().info(told),
        )
        to_run = {decision.stage for decision in decisions if decision.action == "run"}
        begin_workers((stage, config) for stage in stages_of(config) if stage.name in to_run)
    run = Run(
        config,
        store,
        watcher.get() or Unwatched(),
        force_from=request.force_from,
        until=request.until,
    )
    with run.recorded(), texts_written():
        yield run
        evaluated = run.outcomes.get("evaluate")
        if evaluated is not None:
            tuned = run.outcomes.get("sft")
            sft = tuned.artifact.key if tuned is not None else None
            scores = score_rows(evaluated.artifact, store, sft)
            show_markdown("scores", scores_markdown(scores), get_run_logger())
