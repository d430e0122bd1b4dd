"""What arrived and what became of it, for tests to count and newcomers to read. No keys."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: Entries kept; counts go on beyond.
KEPT = 200_000


@dataclass(frozen=True)
class JournalEntry:
    """One request. ``route`` is "chat", "line" (of a batch), "upload", "content", "create",
    "poll", "list", "cancel" or "models"; ``fault`` is what the script made go wrong."""

    route: str
    number: int  #: Among those of its route, from 0.
    status: int
    digest: str = ""
    schema: str = ""
    asked: str = ""
    model: str = ""
    fault: str = ""
    #: Bytes of the request's body; of a batch's line, 0.
    size: int = 0
    #: Of a batch's line.
    custom_id: str = ""


class Journal:
    """Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._digests: Counter[tuple[str, str]] = Counter()
        self._entries: list[JournalEntry] = []
        self._under_way = 0
        #: The most requests that were under way at one time.
        self.most_at_once = 0

    def number(self, route: str) -> int:
        """The next number of a route."""
        with self._lock:
            number = self._numbers[route]
            self._numbers[route] += 1
            return number

    def repeats(self, route: str, digest: str) -> int:
        """How often this very request came before; counts this time."""
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
        """What was written so far, of one route or of all."""
        with self._lock:
            return [entry for entry in self._entries if route in ("", entry.route)]

    def count(self, route: str) -> int:
        """How many requests came by this route."""
        with self._lock:
            return self._numbers[route]

    def answered(self) -> Counter[str]:
        """How often each chat request was answered in full, live or in a batch: paid."""
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
