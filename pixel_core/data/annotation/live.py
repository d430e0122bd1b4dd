"""Runs many procedures at once, each one request at a time, through the live endpoint.

Each thread carries one procedure from question to question. Encoding pictures and making
answers durable happen outside the concurrency slots, so the endpoint stays busy.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

from pixel_core.data.annotation.account import BudgetAccount
from pixel_core.data.annotation.images import ShownViews
from pixel_core.data.annotation.pricing import expected_tokens
from pixel_core.data.annotation.requests import (
    AnnotationRequest,
    Procedure,
    endpoint_of,
    request_json,
)
from pixel_core.errors import BudgetSpent
from pixel_core.models.endpoint.completion import Reply
from pixel_core.models.endpoint.connection import Connection, Terms
from pixel_core.models.endpoint.throttle import Stopped, Throttle
from pixel_core.workflow.stage import StageContext

# Rate limit: a token bucket that says how long to wait.
#
# It keeps the time at which everything taken is paid off (the generic cell rate algorithm),
# so it needs no clock tick and no queue: the moment at which a unit is ready is known.


_MINUTE = 60.0
#: The share of a minute's amount that may come as a burst after a pause.
_BURST = 1 / 30


class Rate:
    """``per_minute`` units in any 60 s, the burst included; 0: no bound.

    A request larger than the burst waits until it is paid for, then goes as a whole: that
    minute may exceed the limit by its size. Thread-safe; first come, first served.
    """

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, least: float = 1.0
    ) -> None:
        burst = min(max(per_minute * _BURST, least), per_minute)
        #: Seconds per unit, such that the burst and a minute's flow make the amount.
        self._unit = 0.0
        if per_minute:
            flow = per_minute - burst
            self._unit = _MINUTE / flow if flow > 0 else _MINUTE / per_minute
        self._tolerance = burst * self._unit if per_minute > burst else 0.0
        self._clock = clock
        self._paid = clock()
        self._lock = threading.Lock()

    def take(self, units: float = 1.0) -> float:
        """Take this many units; returns the seconds to wait before using them."""
        if not self._unit:
            return 0.0
        with self._lock:
            now = self._clock()
            self._paid = max(self._paid, now) + units * self._unit
            return max(0.0, self._paid - self._tolerance - now)


T = TypeVar("T")

#: Seconds to wait for requests under way when the caller leaves.
GRACE_S = 2.0
#: Seconds between attempts while other answers may free money.
_MONEY_S = 0.05
#: Extra threads, as a fraction of the concurrency and as a minimum: they encode pictures
#: and wait for answers to be durable.
_SPARE = 4
#: Window of procedures that are unfinished, or finished ahead of the oldest unfinished one:
#: a multiple of the concurrency, and a minimum.
_AHEAD = 4
_LEAST_AHEAD = 64


def drive(
    procedures: Iterable[Callable[[], Procedure[T]]],
    context: StageContext,
    account: BudgetAccount,
) -> Generator[tuple[int, T], None, None]:
    """Yield (position, result) of each procedure as it ends.

    At most ``concurrency`` requests are under way, within the requests and tokens a minute.
    A procedure begins only when the oldest unfinished one is not far behind, so a caller
    that restores the order holds few results.

    Exceptions of a procedure, ``EndpointError``, ``BudgetSpent``, ``MediaError`` and
    ``StorageError`` are raised here, once requests under way have ended: they are paid for.
    Close the iterator (``contextlib.closing``) when leaving it early, as Ctrl-C does; then
    they get ``GRACE_S``.
    """
    crew: _AskingThreads[T] = _AskingThreads(context, account)
    window = max(_LEAST_AHEAD, _AHEAD * context.config.annotate.openai.concurrency)
    source = enumerate(procedures)
    begun: dict[int, None] = {}  # in order: the first is the oldest
    position, more = -1, True
    grace = GRACE_S
    try:
        while True:
            while more and (not begun or position - next(iter(begun)) < window):
                following = next(source, None)
                if following is None:
                    more = False
                    break
                position, procedure = following
                begun[position] = None
                crew.begin(position, procedure)
            if not begun:
                return
            ended, result, error = crew.results.get()
            if error is not None:
                grace = context.config.annotate.openai.timeout_s
                raise error
            del begun[ended]
            yield ended, result  # type: ignore[misc]
    finally:
        crew.end(grace)


class _AskingThreads(Generic[T]):
    """The threads of one ``drive`` and their shared state."""

    def __init__(self, context: StageContext, account: BudgetAccount) -> None:
        self._config = config = context.config.annotate.openai
        self._account = account
        self._progress = context.progress
        self._views = ShownViews(context.inputs["ingest"] / "pictures.zip")
        self._throttle = Throttle(config.concurrency)
        self._requests = Rate(config.requests_per_minute)
        self._tokens = Rate(config.tokens_per_minute)
        self._todo: queue.SimpleQueue[tuple[int, Callable[[], Procedure[T]]] | None]
        self._todo = queue.SimpleQueue()
        self.results: queue.SimpleQueue[tuple[int, T | None, BaseException | None]]
        self.results = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._most = config.concurrency + max(_SPARE, config.concurrency // 8)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        #: Requests that a thread is working on, by digest: an equal one waits for its answer.
        self._seen_to: dict[str, threading.Event] = {}

    def begin(self, position: int, procedure: Callable[[], Procedure[T]]) -> None:
        self._todo.put((position, procedure))
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="annotator", daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self, grace: float) -> None:
        """Send nothing more, and give requests under way ``grace`` seconds to end."""
        self._throttle.stop()
        for _ in self._threads:
            self._todo.put(None)
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            if self._connection is not None:
                self._connection.close()
        self._views.close()

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            position, procedure = item
            try:
                result = self._carried(procedure())
            except Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - raised where results are read
                self._throttle.stop()
                self.results.put((position, None, error))
                return
            self.results.put((position, result, None))

    def _carried(self, procedure: Procedure[T]) -> T:
        """The procedure's return value, after answering its requests one by one."""
        reply: Reply | None = None
        while True:
            try:
                request = next(procedure) if reply is None else procedure.send(reply)
            except StopIteration as end:
                return end.value
            reply = self._answered(request)

    def _answered(self, request: AnnotationRequest) -> Reply:
        """The reply on record, or a new one, recorded."""
        digest = self._account.digest(request)
        while True:
            with self._lock:
                other = self._seen_to.get(digest)
                if other is None:
                    mine = self._seen_to[digest] = threading.Event()
                    break
            other.wait()
        try:
            return self._account.recall(request) or self._asked(request)
        finally:
            with self._lock:
                del self._seen_to[digest]
            mine.set()

    def _asked(self, request: AnnotationRequest) -> Reply:
        paid = _Paid(self._account, self._throttle, request)
        paid.ready()
        try:
            model = self._config.model
            data = request_json(request, model, self._views.urls(request))
            tokens = expected_tokens(model, request) + request.max_tokens

            def before() -> None:
                wait = max(self._requests.take(), self._tokens.take(tokens))
                self._throttle.sleep(wait)

            answer = self._connected().ask(
                data, self._throttle, before, self._progress.note, paid
            )
        except BaseException:
            self._account.release(request)
            raise
        return self._account.record(
            request, answer.body, seconds=answer.seconds, changes=answer.changes
        )

    def _connected(self) -> Connection:
        """Opened on first use: a fully recorded run needs no client and no key."""
        with self._lock:
            if self._connection is None:
                self._connection = Connection(endpoint_of(self._config))
            return self._connection


class _Paid(Terms):
    """Reserves money for each attempt at a request; recorded once it is sent."""

    def __init__(
        self, account: BudgetAccount, throttle: Throttle, request: AnnotationRequest
    ) -> None:
        self._account = account
        self._throttle = throttle
        self._request = request

    def ready(self) -> None:
        """Wait for money while answers under way may still free some."""
        while True:
            self._throttle.sleep(0)
            try:
                return self._account.reserve(self._request)
            except BudgetSpent as error:
                if error.final:
                    raise
            self._throttle.sleep(_MONEY_S)

    def sending(self) -> None:
        self._account.commit(self._request)

    def unanswered(self, body: bytes | None) -> None:
        if body is None:
            self._account.lose(self._request)
        else:
            self._account.waste(self._request, body)
