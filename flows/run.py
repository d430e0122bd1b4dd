"""The beginning and the end of a recipe: opening the run, closing it with the scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prefect.logging import get_run_logger

from flows.request import Plan, RunRequest
from flows.results import score_rows
from pixel_core.training.stages import begin_workers
from pixel_core.workflow.planning import check_ready
from pixel_core.workflow.table import stages_of
from tasks.page import scores_markdown, show_markdown, texts_written
from tasks.run import Run, Unwatched, Watcher

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
