"""Ledger and budget together: a recorded answer is free, a new one is paid for.

The budget bounds what one computation (an artifact's key) pays, interrupted runs included;
the ledger stores the price with each answer. Before a request is sent, the most its answer
can cost is reserved, durably, so the budget is never exceeded: requests in flight when a
run was killed or a connection broke count as spent.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.budget import Budget, Counters
from pixel_core.data.annotation.ledger.ledger import Ledger, open_ledger
from pixel_core.data.annotation.ledger.segments import Facts, LedgerEntry
from pixel_core.data.annotation.pricing import dollars, most_price, reply_price, unusable_price
from pixel_core.data.annotation.requests import AnnotationRequest, request_digest
from pixel_core.models.endpoint.completion import Reply, is_answer, is_metered, read_reply
from pixel_core.workflow.stage import StageContext, Workspace

#: The cost table of a stage, which the runner reads; one number per line of its table.
COSTS = "costs.json"


@contextmanager
def open_account(context: StageContext) -> Iterator[BudgetAccount]:
    """Lock the stage's notes (waits for another run's lock) and open the budget account."""
    config = context.config.annotate.openai
    with open_ledger(context.shared, context.cache, context.progress) as ledger:
        account = BudgetAccount(ledger, config, context.work)
        if account.unsettled_usd:
            context.progress.note(
                f"up to ${account.unsettled_usd:.4f} may have been charged for requests whose "
                "answers never came (a run was killed, or a connection broke); the budget "
                "counts it as spent"
            )
        try:
            yield account
        finally:
            account.write_costs()


class BudgetAccount:
    """See ``open_account``. Thread-safe."""

    def __init__(self, ledger: Ledger, config: OpenAIConfig, work: Workspace) -> None:
        self._ledger = ledger
        self._config = config
        self._work = work
        #: Set by the run: seeds for which no answer could be used.
        self.dropped_seeds = 0
        earlier = ledger.totals(owner=ledger.owner)
        self.counters = Counters(
            earlier.price,
            0,
            earlier.requests,
            earlier.prompt_tokens,
            earlier.cached_tokens,
            earlier.completion_tokens,
        )
        self._budget = Budget(
            config.budget_usd, self.counters, ledger.unsettled(owner=ledger.owner)
        )

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def spent_usd(self) -> float:
        """What this computation paid, interrupted runs included."""
        return dollars(self.counters.spent)

    @property
    def unsettled_usd(self) -> float:
        """The most that may have been charged without an answer: by killed runs, and for
        requests of this run that were sent and lost."""
        return dollars(self._budget.unsettled)

    @property
    def saved_usd(self) -> float:
        """Original cost of recorded answers that others paid for and this run used."""
        return dollars(self.counters.saved)

    @property
    def outstanding(self) -> int:
        """Requests with a reservation and no recorded answer yet."""
        return self._budget.outstanding

    def digest(self, request: AnnotationRequest) -> str:
        """The request's digest, 64 hexadecimal digits."""
        return self._digest(request).hex()

    def recall(self, request: AnnotationRequest) -> Reply | None:
        """The recorded answer, free; None if there is none (or an older version recorded a
        body that is not an answer)."""
        digest = self._digest(request)
        found = self._ledger.find(digest)
        if found is None or not is_answer(found.body):
            return None
        others = found.owner != self._ledger.owner
        self._budget.remember(digest, found.price, others=others)
        return read_reply(found.body)

    def answer(self, digest: str) -> bytes | None:
        """The recorded body for a digest, without counting it; None: never answered."""
        found = self._ledger.find(bytes.fromhex(digest))
        return found.body if found is not None and is_answer(found.body) else None

    def reserve(
        self, request: AnnotationRequest, batch: bool = False, *, sent: bool = False
    ) -> None:
        """Reserve the most this request's answer can cost, unless that is done already.

        ``sent``: the request is submitted already and cannot be held back. Otherwise raises
        ``BudgetSpent``, with nothing reserved, when that is more than is left. It is not
        ``final`` while outstanding answers may still free part of their reservations.
        """
        most = most_price(self._config.prices, self._config.model, request, batch=batch)
        self._budget.reserve(self._digest(request), most, sent=sent)

    def commit(self, request: AnnotationRequest) -> None:
        """Record the reservation; returns once it is durable and the request may be sent.
        Not needed for batches: the batch journal records what was submitted.

        Raises ``StorageError`` and ``LeaseLost``.
        """
        held = self._budget.to_record(self._digest(request))
        if held is not None:
            opened = held.opened(self._ledger.owner, self._config.model)
            self._ledger.submit([opened]).result()

    def release(self, request: AnnotationRequest) -> None:
        """Nothing was charged and no answer will come: free the reservation."""
        held = self._budget.free(self._digest(request))
        if held is not None and held.token:
            # A thread left behind by a closed ledger leaves its reservation standing.
            with suppress(ValueError):
                self._ledger.submit(held.settled(self._ledger.owner, self._config.model))

    def lose(self, request: AnnotationRequest) -> None:
        """It was sent and no answer will come: count the reservation as spent."""
        self._budget.lose(self._digest(request))

    def waste(self, request: AnnotationRequest, body: bytes) -> None:
        """The body is not an answer: record its cost, free the reservation. Returns once
        durable. Raises as ``record``."""
        model, prices = self._config.model, self._config.prices
        cost = unusable_price(prices, model, request, body)
        if not cost:
            self.release(request)
            return
        entry = self._entry(request, read_reply(body), cost, secrets.token_bytes(32))
        stored = self._keep([request], [entry])
        self._after(stored, request, read_reply(body), entry, is_metered(body)).result()

    def garbled(self, request: AnnotationRequest, batch: str) -> None:
        """Its line in this batch can't be read: count the most it can have cost, once
        however often the batch is fetched. Returns once durable."""
        digest = self._digest(request)
        kept_as = hashlib.sha256(b"garbled" + batch.encode() + digest).digest()
        if self._ledger.find(kept_as) is None:
            nothing = read_reply(b"")
            entry = self._entry(request, nothing, self.most(request), kept_as, batch=True)
            stored = self._keep([request], [entry])
            self._after(stored, request, nothing, entry, metered=False).result()

    def most(self, request: AnnotationRequest) -> int:
        """The most the request's answer can cost in a batch, in picodollars."""
        return most_price(self._config.prices, self._config.model, request, batch=True)

    def record(
        self,
        request: AnnotationRequest,
        body: bytes,
        batch: bool = False,
        *,
        seconds: float = 0.0,
        changes: tuple[str, ...] = (),
    ) -> Reply:
        """Record an answer and return it once durable; frees its reservation.

        ``seconds``: how long the answer took; ``changes``: how the request was adapted to the
        endpoint. For a body that is not an answer only the cost is recorded.
        Raises ``StorageError`` and ``LeaseLost``.
        """
        return self.submit([(request, body)], batch, seconds, changes)[0].result()

    def submit(
        self,
        answers: Iterable[tuple[AnnotationRequest, bytes]],
        batch: bool = False,
        seconds: float = 0.0,
        changes: tuple[str, ...] = (),
    ) -> list[Future[Reply]]:
        """As ``record`` for many answers, written together; each is done once durable."""
        model, prices = self._config.model, self._config.prices
        entries: list[LedgerEntry] = []
        waiting: list[tuple[AnnotationRequest, Reply, LedgerEntry, bool]] = []
        for request, body in answers:
            reply, metered = read_reply(body), is_metered(body)
            # A body that is not an answer is kept under a digest that no request has.
            kept_as = secrets.token_bytes(32)
            if is_answer(body):
                kept_as = self._digest(request)
            # A completed line of a batch was charged for, whatever it contains.
            if is_answer(body) or batch:
                cost = (
                    reply_price(prices, reply, batch=batch)
                    if metered
                    else most_price(prices, model, request, batch=batch)
                )
            else:
                cost = unusable_price(prices, model, request, body)
            entry = self._entry(
                request, reply, cost, kept_as, body, batch, seconds, "|".join(changes)
            )
            entries.append(entry)
            waiting.append((request, reply, entry, metered))
        stored = self._keep([request for request, *_ in waiting], entries)
        return [self._after(stored, *item) for item in waiting]

    def write_costs(self) -> None:
        """Write the cost table for the runner."""
        table = self._budget.table()
        if self.dropped_seeds:
            table["dropped_seeds"] = self.dropped_seeds
        self._work.put(COSTS, json.dumps(table).encode())

    def _digest(self, request: AnnotationRequest) -> bytes:
        return request_digest(self._config.model, request)

    def _entry(
        self,
        request: AnnotationRequest,
        reply: Reply,
        cost: int,
        kept_as: bytes,
        body: bytes = b"",
        batch: bool = False,
        seconds: float = 0.0,
        changes: str = "",
    ) -> LedgerEntry:
        facts = Facts(
            owner=self._ledger.owner,
            model=self._config.model,
            task=request.task.value,
            batch=batch,
            price=cost,
            prompt_tokens=reply.prompt_tokens,
            cached_tokens=reply.cached_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=round(seconds, 3),
            at=round(time.time(), 3),
            changes=changes,
        )
        return LedgerEntry(kept_as, body, facts)

    def _keep(
        self, requests: Iterable[AnnotationRequest], entries: list[LedgerEntry]
    ) -> Future[None]:
        """Record entries together with those that settle the requests' reservations."""
        model, owner = self._config.model, self._ledger.owner
        held = self._budget.held([self._digest(request) for request in requests])
        settled = [entry for one in held for entry in one.settled(owner, model)]
        return self._ledger.submit([*entries, *settled])

    def _after(
        self,
        stored: Future[None],
        request: AnnotationRequest,
        reply: Reply,
        entry: LedgerEntry,
        metered: bool,
    ) -> Future[Reply]:
        done: Future[Reply] = Future()

        def settle(stored: Future[None]) -> None:
            self._budget.pay(self._digest(request), entry.facts, metered)
            if not done.set_running_or_notify_cancel():
                return
            error = stored.exception()
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(reply)

        stored.add_done_callback(settle)
        return done
