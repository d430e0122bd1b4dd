"""Runs procedures in rounds through the Batch API, at half the price.

A round gathers each procedure's next request, answers what it can from the ledger, submits
the rest as batches, waits for them and records each answer before it is used. Procedures
are not kept between rounds: each is restarted and replays its recorded replies, which takes
microseconds, so a million of them need no more memory than a few thousand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.account import BudgetAccount
from pixel_core.data.annotation.batch.api import BatchApi
from pixel_core.data.annotation.batch.journal import BatchNotes
from pixel_core.data.annotation.batch.submit import BatchInput, BatchOffice
from pixel_core.data.annotation.images import ShownViews
from pixel_core.data.annotation.requests import AnnotationRequest, Procedure, request_body
from pixel_core.errors import BudgetSpent
from pixel_core.models.endpoint.completion import Reply, read_reply
from pixel_core.workflow.stage import Progress, StageContext

T = TypeVar("T")

#: The most procedures that are unfinished, or finished ahead of the oldest unfinished one.
#: Only the way to start each is kept.
WINDOW = 20_000
#: Requests written between two progress updates.
_TELL_EVERY = 50


@dataclass
class _Case(Generic[T]):
    """A procedure: how to start it, and how many replies it has been sent."""

    begin: Callable[[], Procedure[T]]
    replies: int = 0


@dataclass(frozen=True)
class _Ended(Generic[T]):
    value: T


def drive(
    procedures: Iterable[Callable[[], Procedure[T]]],
    context: StageContext,
    account: BudgetAccount,
) -> Generator[tuple[int, T], None, None]:
    """Yield (position, result) of each procedure as it ends.

    Batches of an earlier run are fetched first. On Ctrl-C or any exception, batches stay
    with the endpoint; the next run fetches them. Raises what a procedure raises,
    ``EndpointError``, ``StorageError``, ``MediaError``, ``BudgetSpent`` once everything
    affordable is answered, ``ConfigError`` for a request over ``max_bytes``.
    """
    config, progress = context.config.annotate.openai, context.progress
    with _office(context, account) as office:
        views = ShownViews(context.inputs["ingest"] / "pictures.zip")
        try:
            office.adopt()
            office.collect()
            yield from _Rounds[T](account, office, views, config, progress).run(procedures)
        finally:
            views.close()


def fetch_left(context: StageContext, account: BudgetAccount) -> None:
    """Wait for the batches that earlier runs submitted at this endpoint; record the answers.

    A live run calls it first, or it would ask, and pay, a second time. Raises as ``drive``
    does; needs neither key nor connection when nothing is outstanding.
    """
    with _office(context, account) as office:
        office.adopt()
        office.collect()


@contextmanager
def _office(context: StageContext, account: BudgetAccount) -> Iterator[BatchOffice]:
    config, progress = context.config.annotate.openai, context.progress
    api = BatchApi(config)
    office = BatchOffice(api, BatchNotes(context.shared), account, config, progress)
    try:
        yield office
    except BaseException:
        ids = [submission.batch for submission in office.under_way() if submission.batch]
        if ids:
            several = f"{len(ids)} batches go on" if len(ids) > 1 else "1 batch goes on"
            progress.note(
                f"{several} at the endpoint ({', '.join(ids[:5])}); the next run fetches "
                "what is answered"
            )
        raise
    finally:
        api.close()


class _Rounds(Generic[T]):
    def __init__(
        self,
        account: BudgetAccount,
        office: BatchOffice,
        views: ShownViews,
        config: OpenAIConfig,
        progress: Progress,
    ) -> None:
        self._account = account
        self._office = office
        self._views = views
        self._config = config
        self._progress = progress
        #: Digests requested in this round; two procedures may ask the same.
        self._asked: set[str] = set()
        #: By position, in order; the first is the oldest.
        self._waiting: dict[int, _Case[T]] = {}
        self._begun = 0
        self._input: BatchInput | None = None

    def run(self, procedures: Iterable[Callable[[], Procedure[T]]]) -> Iterator[tuple[int, T]]:
        source = enumerate(procedures)
        with tempfile.TemporaryDirectory(prefix="batch-") as folder:
            while True:
                self._asked.clear()
                short: BudgetSpent | None = None
                try:
                    yield from self._gather(source, Path(folder))
                except BudgetSpent as error:
                    short = error  # answers may cost less than was reserved
                self._hand_in()
                if not self._asked:
                    if short is not None:
                        raise short
                    return
                self._office.collect()

    def _gather(
        self, source: Iterator[tuple[int, Callable[[], Procedure[T]]]], folder: Path
    ) -> Iterator[tuple[int, T]]:
        for position in list(self._waiting):
            yield from self._advance(position, folder)
        while not self._waiting or self._begun - next(iter(self._waiting)) < WINDOW:
            position, begin = next(source, (-1, None))
            if begin is None:
                return
            self._begun = position + 1
            self._waiting[position] = _Case(begin)
            yield from self._advance(position, folder)

    def _advance(self, position: int, folder: Path) -> Iterator[tuple[int, T]]:
        """Yield the procedure's result, or ask its next request."""
        found = self._next(self._waiting[position])
        if isinstance(found, _Ended):
            del self._waiting[position]
            yield position, found.value
        else:
            self._ask(found, folder)

    def _next(self, case: _Case[T]) -> AnnotationRequest | _Ended[T]:
        """Replay a procedure's recorded replies from the beginning."""
        procedure = case.begin()
        sent = 0
        try:
            request = next(procedure)
            while True:
                reply = self._recall(request, again=sent < case.replies)
                if reply is None:
                    procedure.close()
                    return request
                sent += 1
                case.replies = max(case.replies, sent)
                request = procedure.send(reply)
        except StopIteration as end:
            return _Ended(end.value)

    def _recall(self, request: AnnotationRequest, again: bool) -> Reply | None:
        """``again``: this run has counted that answer already, as it has fetched ones."""
        digest = self._account.digest(request)
        fetched = self._office.fetched
        if not again and digest not in fetched:
            return self._account.recall(request)
        fetched.discard(digest)
        body = self._account.answer(digest)
        return None if body is None else read_reply(body)

    def _ask(self, request: AnnotationRequest, folder: Path) -> None:
        digest = self._account.digest(request)
        if digest in self._asked:
            return
        self._account.reserve(request, batch=True)
        self._asked.add(digest)
        body = request_body(request, self._config.model, self._views.urls(request))
        for name in self._config.omit:
            body.pop(name, None)
        if self._input is not None and not self._input.add(digest, request, body):
            self._hand_in()
        if self._input is None:
            self._input = BatchInput(folder / "requests.jsonl", self._config.batch)
            self._input.add(digest, request, body)
        if len(self._asked) % _TELL_EVERY == 0:
            self._progress.update(len(self._asked), max(len(self._asked), len(self._waiting)))
        if self._input.full:
            self._hand_in()

    def _hand_in(self) -> None:
        batch, self._input = self._input, None
        if batch is not None:
            with batch:
                self._office.hand_in(batch)
