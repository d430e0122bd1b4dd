"""What a run's record hears: how the run ends and how each stage does, whatever ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.store import StageRun
from pixel_core.workflow.store.runs import Runs, RunStatus


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
