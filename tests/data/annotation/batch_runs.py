"""Runs of batch annotation on one store, here or in a process that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from drawn_seeds import context_on

from pixel_core.data.annotation.account import open_account
from pixel_core.data.annotation.batch import driver as batch
from pixel_core.data.annotation.outcome import AnnotationOutcome
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.requests import Procedure
from pixel_core.dev.annotator import AnnotatorServer
from pixel_core.records import Seed, read_jsonl
from pixel_core.workflow.parallel.team import begin, preload
from pixel_core.workflow.stage import Progress, StageContext

KEY = "sk-test-8c1f5e0a77d24b19"

#: Processes start at once: what they import was imported by the one they are forked from,
#: which is also that of workers that train.
_STARTED_QUICKLY = multiprocessing.get_context("forkserver")
preload(["batch_runs", "openai"])


class Heard:
    """Progress that remembers what it was told, in a file where there is one."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.notes: list[str] = []
        self.updates: list[tuple[int, int]] = []

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates.append((done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)
        if self.file is not None:
            with self.file.open("a") as out:
                out.write(text + "\n")


class Runs:
    """Runs over the same seeds with the same store, as before and after a failure."""

    def __init__(self, ingest: Path, store: Path) -> None:
        self.ingest = ingest
        self.store = store
        self.seeds = list(read_jsonl(ingest / "seeds.jsonl", Seed))
        self.heard = Heard()
        self.usd = 0.0
        self.remembered = 0

    def context(
        self, url: str, progress: Progress | None = None, **openai: Any
    ) -> StageContext:
        settings = {"verify": {"votes": 0}, **openai}  # one round, unless more are wanted
        return context_on(self.ingest, self.store, url, progress or self.heard, **settings)

    def __call__(
        self, url: str, drive: Any = batch.drive, **openai: Any
    ) -> dict[int, AnnotationOutcome]:
        context = self.context(url, **openai)
        with open_account(context) as account:
            try:
                return dict(drive(self.procedures(context), context, account))
            finally:
                self.usd, self.remembered = account.spent_usd, account.counters.remembered

    def procedures(
        self, context: StageContext
    ) -> list[Callable[[], Procedure[AnnotationOutcome]]]:
        config = context.config.annotate.openai
        return [partial(annotate_seed, seed, config) for seed in self.seeds]

    def noted(self) -> list[Path]:
        """What is noted of batches that are not fetched yet."""
        return sorted(path for path in self.store.rglob("batch-*") if path.is_file())

    def told(self) -> str:
        """What a run in a process of its own said."""
        file = self.store / "heard.txt"
        return file.read_text() if file.exists() else ""

    @contextmanager
    def in_process(self, url: str, **openai: Any) -> Iterator[Any]:
        """A run in a process of its own, killed at the end if it still runs."""
        context = self.context(url, Heard(self.store / "heard.txt"), **openai)
        begin()
        process = _STARTED_QUICKLY.Process(target=_run, args=(context,))
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()


def _run(context: StageContext) -> None:
    try:
        _drive(context)
    except Exception:
        context.progress.note(traceback.format_exc())
        raise


def _drive(context: StageContext) -> None:
    os.environ["TEST_ANNOTATOR_KEY"] = KEY
    seeds = read_jsonl(context.inputs["ingest"] / "seeds.jsonl", Seed)
    config = context.config.annotate.openai
    with open_account(context) as account:
        procedures = (partial(annotate_seed, seed, config) for seed in seeds)
        for _ in batch.drive(procedures, context, account):
            pass


def until(met: Callable[[], bool], process: Any, runs: Runs) -> None:
    """Wait until that is so, while the process runs."""
    deadline = time.monotonic() + 60
    while not met():
        if not process.is_alive():
            raise AssertionError(f"the run ended by itself: {runs.told()}")
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.005)


def paid_twice(server: AnnotatorServer) -> list[str]:
    """Requests that were answered, and so paid, more than once."""
    return [digest for digest, times in server.journal.answered().items() if times > 1]
