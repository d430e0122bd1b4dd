"""The budget of a computation: spent, reserved, and possibly charged.

The most an answer can cost is reserved before its request is sent, so the sum never exceeds
the budget. Amounts are in picodollars; requests are identified by their digests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from pixel_core.data.annotation.ledger.segments import Facts
from pixel_core.data.annotation.pricing import dollars, picodollars
from pixel_core.data.annotation.reservations import Reservation
from pixel_core.errors import BudgetSpent


@dataclass
class Counters:
    """``spent`` and ``saved`` in picodollars; ``spent`` and the tokens are those of the
    whole computation, ``saved`` and ``remembered`` of this run."""

    spent: int = 0
    saved: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    #: Answers found on record.
    remembered: int = 0
    #: Answers that did not report their cost. They count as the most they can have cost;
    #: truncated ones that were retried, as about what was written.
    unmetered: int = 0


class Budget:
    """``limit_usd``: None for no limit. ``unsettled``: reservations of earlier, killed runs.
    Thread-safe."""

    def __init__(self, limit_usd: float | None, counters: Counters, unsettled: int) -> None:
        self.counters = counters
        self._limit_usd = limit_usd
        self._limit = None if limit_usd is None else picodollars(limit_usd)
        self._unsettled = unsettled
        self._lock = threading.Lock()
        self._reserved: dict[bytes, Reservation] = {}
        self._set_aside = 0
        self._recalled: set[bytes] = set()

    @property
    def unsettled(self) -> int:
        """The most that may have been charged without an answer."""
        return self._unsettled

    @property
    def outstanding(self) -> int:
        """Requests with a reservation."""
        return len(self._reserved)

    def reserve(self, digest: bytes, most: int, *, sent: bool) -> None:
        """Reserve ``most`` unless reserved already. Raises ``BudgetSpent`` when that is more
        than is left; ``sent``: it can't be held back any more, so it is reserved anyway."""
        with self._lock:
            if digest in self._reserved:
                return
            left = None if self._limit is None or sent else self._left(self._limit)
            if left is not None and most > left:
                raise self._spent(most)
            self._reserved[digest] = Reservation(most)
            self._set_aside += most

    def to_record(self, digest: bytes) -> Reservation | None:
        """The reservation to record before the request is sent; None: it is recorded, or
        nothing can be charged."""
        with self._lock:
            held = self._reserved[digest]
            if held.token or not held.most:
                return None
            held = self._reserved[digest] = held.on_record()
            return held

    def held(self, digests: Iterable[bytes]) -> list[Reservation]:
        """The reservations of these requests, where there are any."""
        with self._lock:
            found = [self._reserved.get(digest) for digest in digests]
        return [one for one in found if one is not None]

    def free(self, digest: bytes) -> Reservation | None:
        """Nothing was charged: free the reservation and return it."""
        with self._lock:
            return self._forget(digest)

    def lose(self, digest: bytes) -> None:
        """No answer will come: count the reservation as spent."""
        with self._lock:
            held = self._forget(digest)
            self._unsettled += 0 if held is None else held.most

    def pay(self, digest: bytes, facts: Facts, metered: bool) -> None:
        """An answer came: its cost is spent, its reservation is freed."""
        with self._lock:
            self._forget(digest)
            counters = self.counters
            counters.requests += 1
            counters.spent += facts.price
            counters.prompt_tokens += facts.prompt_tokens
            counters.cached_tokens += facts.cached_tokens
            counters.completion_tokens += facts.completion_tokens
            counters.unmetered += not metered

    def remember(self, digest: bytes, price: int, *, others: bool) -> None:
        """A recorded answer was used; ``others``: another computation paid ``price``."""
        with self._lock:
            self.counters.remembered += 1
            if others and digest not in self._recalled:
                self._recalled.add(digest)
                self.counters.saved += price

    def table(self) -> dict[str, float]:
        """The costs for the runner's table."""
        with self._lock:
            now = self.counters
            table: dict[str, float] = {
                "usd": dollars(now.spent),
                "saved_usd": dollars(now.saved),
                "requests": now.requests,
                "remembered": now.remembered,
                "prompt_tokens": now.prompt_tokens,
                "cached_tokens": now.cached_tokens,
                "completion_tokens": now.completion_tokens,
                "unmetered": now.unmetered,
            }
            if self._unsettled:
                table["unsettled_usd"] = dollars(self._unsettled)
            return table

    def _left(self, limit: int) -> int:
        return limit - self.counters.spent - self._unsettled - self._set_aside

    def _forget(self, digest: bytes) -> Reservation | None:
        held = self._reserved.pop(digest, None)
        if held is not None:
            self._set_aside -= held.most
        return held

    def _spent(self, most: int) -> BudgetSpent:
        lost = ""
        if self._unsettled:
            lost = (
                f", up to ${dollars(self._unsettled):.4f} may have been charged for requests "
                "whose answers never came"
            )
        return BudgetSpent(
            f"the next answer may cost ${dollars(most):.4f} and would exceed the budget of "
            f"${self._limit_usd:g}: ${dollars(self.counters.spent):.4f} are spent on "
            f"{self.counters.requests} answers, which are kept{lost}; raise "
            "annotate.openai.budget_usd and run again: it goes on from here and pays for "
            "nothing twice",
            final=not self._reserved,
        )
