"""What Prefect's page shows beside the states: progress and texts.

The page is a window, not the work: when the server can't take an update, the stage goes
on, and the log says so once.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from pixel_core.evaluation.page.tables import PageTable
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.stage import Progress
from tasks.pace import Pace, duration, metrics_line

# Lines of a job's log on Prefect's page: enough to see what goes on, never a flood.
#
# A library may print thousands of lines a second, and the server loses what it cannot keep up
# with. The whole log is on the cluster's own page.


#: Lines that are let pass at once, and a second.
_AT_ONCE, _PER_S = 200.0, 5.0


class JobLog:
    def __init__(
        self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._room = _AT_ONCE
        self._at = clock()
        self._left_out = 0

    def line(self, text: str) -> None:
        now = self._clock()
        self._room = min(_AT_ONCE, self._room + (now - self._at) * _PER_S)
        self._at = now
        if self._room < 1:
            self._left_out += 1
            return
        self._room -= 1
        if self._left_out:
            self._tell(f"... {self._left_out} lines are left out; Ray's page has all of them")
            self._left_out = 0
        self._tell(text)


# Outcomes and scores as tables of text.


SCORE_HEAD = (
    "benchmark",
    "model",
    "decoding",
    "n",
    "accuracy",
    "interval",
    "RaPR",
    "op errors",
)


def outcome_markdown(stage: str, outcome: StageOutcome) -> str:
    """One stage's page: what became of it, why, under which key, with its metrics."""
    lines = [
        f"## {stage}: {outcome.status}",
        "",
        f"Because: {outcome.reason}. {duration(outcome.seconds)}.",
        "",
        f"Key `{outcome.artifact.key}`",
        "",
    ]
    if outcome.warning:
        lines += [f"**Warning:** {outcome.warning}", ""]
    rows = [(name, _cell(value)) for name, value in flat(outcome.artifact.metrics)]
    if rows:
        lines += _table(("metric", "value"), rows)
    costs = [(name, _cell(value)) for name, value in outcome.artifact.manifest.costs.items()]
    if costs:
        lines += ["", *_table(("cost", "value"), costs)]
    return "\n".join(lines)


def scores_markdown(scores: Iterable[Mapping[str, Any]]) -> str:
    """The result table; accuracies in per cent with their interval."""
    rows = [score_cells(score) for score in scores]
    return "\n".join(["## Scores", "", *_table(SCORE_HEAD, rows)])


def tables_markdown(title: str, tables: Sequence[PageTable]) -> str:
    """A benchmark's tables, one under another."""
    lines = [f"## {title}"]
    for table in tables:
        head = [column.title for column in table.columns]
        rows = [[_cell(cell) for cell in row] for row in table.rows]
        lines += ["", f"### {table.title}", "", *_table(head, rows)]
    return "\n".join(lines)


def score_cells(score: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of ``scores.json`` as a terminal and a page show it."""
    return (
        str(score["benchmark"]),
        str(score["model"]),
        str(score["decoding"]),
        str(score["n"]),
        f"{100 * score['accuracy']:.1f} %",
        f"{100 * score['low']:.1f} to {100 * score['high']:.1f}",
        f"{score['rapr']:.2f}",
        f"{score['op_error_rate']:.3f}",
    )


def flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """``("by.kind", value)`` pairs of a stage's metrics; curves belong to the report."""
    for name, value in values.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from flat(value, place)
        elif not isinstance(value, list):
            yield place, value


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


INTERVAL_S = 2.0


class PageProgress:
    """Hands on to the terminal, and every two seconds to a progress artifact.

    The artifact is made at the first update that comes two seconds after the start, so
    that quick stages leave none.
    """

    def __init__(
        self, stage: str, below: Progress, log: logging.Logger | logging.LoggerAdapter[Any]
    ) -> None:
        self._stage = stage
        self._below = below
        self._log = log
        self._pace = Pace()
        self._artifact: UUID | None = None
        self._next = time.monotonic() + INTERVAL_S
        self._reachable = True

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._below.update(done, total, **metrics)
        self._pace.update(done, total)
        now = time.monotonic()
        due = now >= self._next or (self._artifact is not None and done >= total)
        if due and self._reachable:
            self._next = now + INTERVAL_S
            self._show(done, total, metrics)

    def note(self, text: str) -> None:
        self._below.note(text)
        self._log.info(text)

    def _show(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        left = self._pace.seconds_left()
        words = [f"{self._stage} {done}/{total}", metrics_line(metrics)]
        if left is not None:
            words.append(f"{duration(left)} left")
        description = ", ".join(word for word in words if word)
        percent = 100.0 * done / total if total else 0.0
        try:
            if self._artifact is None:
                made = create_progress_artifact(
                    percent, key=artifact_key("progress", self._stage), description=description
                )
                self._artifact = cast(UUID, made)  # a coroutine only where a loop runs
            else:
                update_progress_artifact(self._artifact, percent, description=description)
        except (httpx.HTTPError, PrefectException) as error:
            self._reachable = False
            self._log.warning("progress is no longer shown on the page: %s", error)


#: One thread: the server takes a tenth of a second for a text, and no stage waits for that.
_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")
_on_the_way: list[Future[None]] = []


def show_markdown(
    key: str, markdown: str, log: logging.Logger | logging.LoggerAdapter[Any]
) -> None:
    """On the page of the flow run or task run that calls, by and by; at the latest at the end
    of ``texts_written``."""

    def write() -> None:
        try:
            create_markdown_artifact(markdown, key=key)
        # RuntimeError: httpx's word for a client that was closed meanwhile.
        except (httpx.HTTPError, PrefectException, RuntimeError) as error:
            log.warning("%s is not shown on the page: %s", key, error)

    # Which run it is of stands in the caller's context.
    _on_the_way.append(_writer.submit(copy_context().run, write))


@contextmanager
def texts_written() -> Iterator[None]:
    """Ends when the page has all texts, or each was told to be missing."""
    try:
        yield
    finally:
        while _on_the_way:
            _on_the_way.pop().result()


def artifact_key(*words: str) -> str:
    """Prefect's keys hold lowercase letters, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
