"""The ledger's local SQLite index of the answers in the segments.

It can be rebuilt from the segments at any time, so losing it costs time and no money.
Several processes may read and fill it at once: a segment's entries and its name are added in
one transaction, and a digest that is already present is not counted twice.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixel_core.data.annotation.ledger.segments import Facts, LedgerEntry
from pixel_core.models.endpoint.completion import is_answer

#: The task of entries that are reservations, not answers (``reservations``).
RESERVED = "reserved"
#: Raised with the tables; an index of another version is rebuilt.
_VERSION = 1
#: Bytes of the file that may be memory-mapped.
_MAPPED = 1 << 34

_TABLES = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE store (identity TEXT NOT NULL);
CREATE TABLE segments (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE totals (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL, batch INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0, price INTEGER NOT NULL DEFAULT 0,
    prompt INTEGER NOT NULL DEFAULT 0, cached INTEGER NOT NULL DEFAULT 0,
    completion INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, model, task, batch)
);
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    total INTEGER NOT NULL, price INTEGER NOT NULL,
    prompt INTEGER NOT NULL, cached INTEGER NOT NULL, completion INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX by_digest ON answers (digest);
CREATE TRIGGER counted AFTER INSERT ON answers BEGIN
    UPDATE totals SET
        requests = requests + 1, price = price + new.price, prompt = prompt + new.prompt,
        cached = cached + new.cached, completion = completion + new.completion
    WHERE id = new.total;
END;
"""

_FIND = "SELECT body, price, total FROM answers WHERE digest = ?"
#: Existing answers stay, unless an older version stored a non-answer: an answer replaces it.
_ADD = (
    "INSERT INTO answers (digest, total, price, prompt, cached, completion, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET total = excluded.total, "
    "price = excluded.price, prompt = excluded.prompt, cached = excluded.cached, "
    "completion = excluded.completion, body = excluded.body "
    "WHERE length(body) AND NOT is_answer(body) AND is_answer(excluded.body)"
)
#: The cost of a replaced entry stays counted.
_COUNT_REPLACED = """
CREATE TRIGGER IF NOT EXISTS counted_anew AFTER UPDATE OF body ON answers BEGIN
    UPDATE totals SET
        requests = requests + 1, price = price + new.price, prompt = prompt + new.prompt,
        cached = cached + new.cached, completion = completion + new.completion
    WHERE id = new.total;
END;
"""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """A recorded answer: its body, its cost in picodollars, and who paid."""

    body: bytes
    price: int
    owner: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over answers; ``price`` in picodollars."""

    requests: int = 0
    price: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class LedgerIndex:
    """``path`` None: in memory. Thread-safe.

    Raises ``sqlite3.DatabaseError`` if the file is not a sound index.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str, str, bool], int] = {}
        self._owners: dict[int, str] = {}
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, timeout=60.0, check_same_thread=False
        )
        self._db.create_function("is_answer", 1, is_answer, deterministic=True)
        self._db.isolation_level = None  # transactions are explicit
        # Write-ahead log: a kill leaves the state before or after, never between.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -65536")
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _statements(_TABLES):
                    self._db.execute(statement)
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"index of version {version}")
            self._db.execute(_COUNT_REPLACED)

    @property
    def identity(self) -> str:
        """The ledger that it indexes; "" for a new index."""
        row = self._db.execute("SELECT identity FROM store").fetchone()
        return row[0] if row else ""

    def belong_to(self, identity: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM store")
            self._db.execute("INSERT INTO store VALUES (?)", (identity,))

    def segments(self) -> set[str]:
        with self._lock:
            return {row[0] for row in self._db.execute("SELECT name FROM segments")}

    def find(self, digest: bytes) -> RecordedAnswer | None:
        with self._lock:
            row = self._db.execute(_FIND, (digest,)).fetchone()
            if row is None:
                return None
            body, price, total = row
            owner = self._owners.get(total)
            if owner is None:
                where = "SELECT owner FROM totals WHERE id = ?"
                owner = self._owners[total] = self._db.execute(where, (total,)).fetchone()[0]
        return RecordedAnswer(body, price, owner)

    def map_file(self) -> None:
        """Read through memory-mapped I/O from now on. Look-ups get faster; during filling it
        would count the whole index as this process's memory."""
        with self._lock:
            self._db.execute(f"PRAGMA mmap_size = {_MAPPED}")

    def add(self, segment: str, entries: Iterable[LedgerEntry]) -> None:
        """Add a segment's entries, all or none; a segment that is in already is skipped."""
        with self._transaction():
            added = self._db.execute("INSERT OR IGNORE INTO segments VALUES (?)", (segment,))
            if added.rowcount:
                self._db.executemany(_ADD, map(self._row, entries))

    def replace(self, old: Iterable[str], new: str) -> None:
        """Record that segments were merged; their entries are in already."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO segments VALUES (?)", (new,))
            names = ((name,) for name in old)
            self._db.executemany("DELETE FROM segments WHERE name = ?", names)

    def forget(self, segments: Iterable[str]) -> None:
        """Remove the names of deleted segments; their answers stay."""
        with self._transaction():
            names = ((name,) for name in segments)
            self._db.executemany("DELETE FROM segments WHERE name = ?", names)

    def totals(self, *, owner: str = "", model: str = "", task: str = "") -> Totals:
        """Sums over the answers of an owner, a model, a task; "" for any. Reservations are not
        answers: they are summed only if their task is given."""
        wanted = {"owner": owner, "model": model, "task": task}
        given = {name: value for name, value in wanted.items() if value}
        conditions = [f"{name} = :{name}" for name in given]
        if not task:
            conditions.append(f"task <> '{RESERVED}'")
        where = " AND ".join(conditions)
        sums = ", ".join(
            f"COALESCE(SUM({name}), 0)"
            for name in ("requests", "price", "prompt", "cached", "completion")
        )
        with self._lock:
            row = self._db.execute(f"SELECT {sums} FROM totals WHERE {where}", given).fetchone()
        return Totals(*row)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def discard(self) -> None:
        """Close it and remove its files."""
        self.close()
        if self._path is not None:
            remove_files(self._path)

    def _row(self, entry: LedgerEntry) -> tuple[object, ...]:
        facts = entry.facts
        return (
            entry.digest,
            self._kind(facts),
            facts.price,
            facts.prompt_tokens,
            facts.cached_tokens,
            facts.completion_tokens,
            entry.body,
        )

    def _kind(self, facts: Facts) -> int:
        """The row of ``totals`` that these facts add to; call it within a transaction."""
        kind = (facts.owner, facts.model, facts.task, facts.batch)
        found = self._kinds.get(kind)
        if found is None:
            self._db.execute(
                "INSERT OR IGNORE INTO totals (owner, model, task, batch) VALUES (?, ?, ?, ?)",
                kind,
            )
            where = "owner = ? AND model = ? AND task = ? AND batch = ?"
            row = self._db.execute(f"SELECT id FROM totals WHERE {where}", kind).fetchone()
            found = self._kinds[kind] = row[0]
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._kinds.clear()  # rows it names may be rolled back
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def remove_files(path: Path) -> None:
    """Remove an index's file and SQLite's files beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: ``executescript`` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
