"""A log of requests and their outcomes, for tests and for new users. It holds no keys."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: Most entries kept; counting continues beyond.
KEPT = 200_000


@dataclass(frozen=True)
class JournalEntry:
    """One request. ``route`` is "chat", "line" (of a batch), "upload", "content", "create",
    "poll", "list", "cancel" or "models"; ``fault`` is the fault injected by the script."""

    route: str
    number: int  #: Counts the requests of its route, from 0.
    status: int
    digest: str = ""
    schema: str = ""
    asked: str = ""
    model: str = ""
    fault: str = ""
    #: Bytes of the request's body; of a batch's line, 0.
    size: int = 0
    #: The custom id of a batch's line.
    custom_id: str = ""


class Journal:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._digests: Counter[tuple[str, str]] = Counter()
        self._entries: list[JournalEntry] = []
        self._under_way = 0
        #: The most concurrent requests so far.
        self.most_at_once = 0

    def number(self, route: str) -> int:
        """The next request number of a route."""
        with self._lock:
            number = self._numbers[route]
            self._numbers[route] += 1
            return number

    def repeats(self, route: str, digest: str) -> int:
        """How often this exact request came before; counts this one."""
        with self._lock:
            before = self._digests[route, digest]
            self._digests[route, digest] += 1
            return before

    def write(self, entry: JournalEntry) -> None:
        with self._lock:
            if len(self._entries) < KEPT:
                self._entries.append(entry)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def entries(self, route: str = "") -> list[JournalEntry]:
        """The entries so far, of one route or all."""
        with self._lock:
            return [entry for entry in self._entries if route in ("", entry.route)]

    def count(self, route: str) -> int:
        """The number of requests on this route."""
        with self._lock:
            return self._numbers[route]

    def answered(self) -> Counter[str]:
        """By digest, how often a chat request was answered in full, live or batched: billed."""
        return Counter(
            entry.digest
            for entry in self.entries()
            if entry.route in ("chat", "line") and entry.status == 200
        )

    def summary(self) -> dict[str, Any]:
        """Counts by route, status and fault, as JSON values."""
        entries = self.entries()
        with self._lock:
            numbers = dict(self._numbers)
        return {
            "requests": numbers,
            "most_at_once": self.most_at_once,
            "status": dict(Counter(f"{e.route} {e.status}" for e in entries)),
            "faults": dict(Counter(e.fault for e in entries if e.fault)),
        }
