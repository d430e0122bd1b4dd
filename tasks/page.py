"""What Prefect's page shows beside the states: progress and texts.

The page is a window, not the work: when the server can't take an update, the stage goes
on, and the log says so once.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
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

from pixel_core.workflow.stage import Progress
from tasks.pace import Pace, duration, metrics_line

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
