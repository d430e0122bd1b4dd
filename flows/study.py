"""The learning-trap study: arms x seeds, shared stages once, cells side by side.

Started by ``pixel study learning-trap``, or by any Prefect deployment of ``study``: its
parameters are plain JSON. Every stage of every cell is a task, named for its cell; what the
store holds is reused, so the same command goes on from wherever it was cut short.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import wait
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.task_runners import ThreadPoolTaskRunner

from flows.results import study_markdown
from flows.study_request import StudyRequest, check_study_ready
from pixel_core.errors import PixelError, StageFailed
from pixel_core.evaluation.study.graph import Node
from pixel_core.evaluation.study.schedule import Schedule
from pixel_core.evaluation.study.stage import RUN, study_command, study_stage
from pixel_core.training.stages import begin_workers
from pixel_core.workflow.parallel.team import preload
from pixel_core.workflow.store import Artifact
from pixel_core.workflow.store.named_function import named_function
from tasks.page import show_markdown, texts_written
from tasks.study import StudyRun, StudyWatcher, UnwatchedStudy, compare, node_task

#: How long stages may take to save and end when the study is interrupted: as long as a
#: training step and the answers of a chunk need.
_GRACE_S = 60.0

#: A thread a core waits for that cell's worker process, and one is for the comparison.
_THREADS: Any = ThreadPoolTaskRunner(max_workers=1 + len(os.sched_getaffinity(0)))

#: Set by the command line; a study that a Prefect worker starts has only the page.
watcher: ContextVar[StudyWatcher | None] = ContextVar("study_watcher", default=None)


@flow(
    name="learning-trap",
    description=__doc__,
    task_runner=_THREADS,
)
def study(
    profile: str = "learning_trap",
    overrides: list[str] | None = None,
    store: str | None = None,
    only: list[str] | None = None,
    verify: bool = False,
    quick: bool = False,
) -> dict[str, str]:
    """Make what is missing of every cell, then compare; returns the study's artifact.

    ``quick``: the small form, one base model for readers. ``verify``: read every byte of what
    is reused, also of files that show no change.
    """
    request = StudyRequest(
        profile, tuple(overrides or ()), store, tuple(only or ()), quick=quick, verify=verify
    )
    matrix, graph, opened, decided = request.plan()
    check_study_ready(decided, opened)
    run = StudyRun(matrix.config, graph, opened, watcher.get() or UnwatchedStudy())
    with run.recorded(), texts_written():
        _make_cells(run, Schedule(graph, len(os.sched_getaffinity(0))))
        if run.errors:
            raise _failure(run)
        command = study_command(
            request.profile, request.overrides, request.only, quick=request.quick
        )
        stage, inputs = study_stage(matrix, graph, run.made, command, quick=request.quick)
        compare(run, stage, matrix.config, [inputs[name] for name in stage.needs])
        made: Artifact = run.made[stage.name]
        show_markdown("learning-trap", study_markdown(made), get_run_logger())
    return {stage.name: made.key}


def _make_cells(run: StudyRun, schedule: Schedule) -> None:
    """Every node of the graph that can be made; failures are kept in ``run.errors``."""
    run.watcher.begin(run.graph, len(os.sched_getaffinity(0)))
    work = dict.fromkeys(node.stage.run for node in run.graph.nodes.values())
    # All code is read now: cells that are compared must not differ by an edit made meanwhile.
    preload(name.partition(":")[0] for name in work)
    begin_workers((node.stage, node.cells[0].config) for node in run.graph.nodes.values())
    for name in (*work, RUN):
        named_function(name)
    ended: SimpleQueue[Node] = SimpleQueue()
    futures: dict[str, Any] = {}
    try:
        while not schedule.finished:
            for node, processes in schedule.start():
                before = [futures[need] for need in node.needs]  # the page's arrows
                future = node_task(node).submit(run, node, processes, wait_for=before)
                future.add_done_callback(partial(_put, ended, node))
                futures[node.id] = future
            node = ended.get()
            failed = node.id not in run.made
            schedule.ended(node, failed=failed)
            if failed:
                error = run.errors.setdefault(node.id, _reason(futures[node.id]))
                run.watcher.failed(node, error, schedule.lost)
    except BaseException:
        run.stopping.set()
        # A lease and a checkpoint outlive the stages that take too long.
        wait([future.wrapped_future for future in futures.values()], timeout=_GRACE_S)
        raise


def _put(ended: SimpleQueue[Node], node: Node, _: object) -> None:
    ended.put(node)


def _reason(future: Any) -> Exception:
    """Why a task ended without an artifact and without an error of its stage."""
    state = future.state
    return StageFailed(f"its task ended as {state.name}: {state.message}")


def _failure(run: StudyRun) -> PixelError:
    """One error that names every cell that is missing, and what each failure was."""
    lines = [
        f"  {run.graph.nodes[id].label}: {_said(error)}" for id, error in run.errors.items()
    ]
    cells = _cells_without(run, set(run.errors))
    return StageFailed(
        f"{len(cells)} cells could not be made ({'; '.join(cells)}); the others are kept. "
        "What failed:\n" + "\n".join(lines) + "\nRun the same command again to go on"
    )


def _said(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    # A bug's message alone says little; its type and last line help to find it.
    return text[-1] if isinstance(error, PixelError) else f"{type(error).__name__}: {text[-1]}"


def _cells_without(run: StudyRun, failed: set[str]) -> Sequence[str]:
    missing = set(failed)
    cells: dict[str, None] = {}
    for node in run.graph.nodes.values():
        if node.id in missing or missing.intersection(node.needs):
            missing.add(node.id)
            cells |= dict.fromkeys(map(str, node.cells))
    return list(cells)
