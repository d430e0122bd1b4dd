"""One thin Prefect task a stage: reuse or run, and say so on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from pixel_core.workflow.stage import Stage
from pixel_core.workflow.table import BY_NAME
from tasks.cancelling import Cancellation
from tasks.page import JobLog, PageProgress, artifact_key, outcome_markdown, show_markdown
from tasks.run import Run, address

#: What a stage hands to the next in a recipe: the state whose data is the artifact's address
#: in the run, ``stage/key``; None where the run ends before it. An address and not the
#: artifact, because Prefect tells what follows from what by the identity of (parts of) these
#: values: an artifact's parts come and go in memory, and arrows would be drawn at random.
Made = State[str] | None


def stage_task(name: str, stage: Stage | None = None) -> Callable[..., Made]:
    """The stage as a recipe's function: ``f(run, *inputs)``, inputs as the table says.

    Its state is *Cached*, with the reason, where the store already held the artifact. A
    stage that fails raises its own error, which fails the flow run with that text.
    ``stage``: the row itself, where the table lacks it (a benchmark's).
    """
    stage = stage or BY_NAME[name]

    @task(
        name=name,
        description=stage.summary,
        task_run_name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def make(run: Run, *inputs: Any) -> State[str]:
        log = get_run_logger()

        def say(sentence: str) -> None:
            run.watcher.note(sentence)
            log.info(sentence)

        with run.watcher.watch(name) as terminal:
            progress = PageProgress(name, terminal, log)
            cancellation = Cancellation(log)
            outcome = run.make(
                stage,
                inputs,
                progress,
                say,
                log=JobLog(log.info).line,
                patience=cancellation.patience,
                cancelled=cancellation.asked_for,
            )
        log.info("%s: %s", outcome.status, outcome.reason)
        if outcome.warning:
            log.warning(outcome.warning)
        show_markdown(artifact_key("stage", name), outcome_markdown(name, outcome), log)
        reused = outcome.status == "reused"
        return Completed(
            name="Cached" if reused else "Completed",
            message=f"{outcome.status} because {outcome.reason}",
            data=address(outcome.artifact),
        )

    def step(run: Run, *inputs: Made) -> Made:
        # States go in as they are: Prefect draws the arrows from them.
        return make(run, *inputs) if name in run.wanted else None

    return step
