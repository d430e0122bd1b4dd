"""What was found out about the files of folders, kept on this machine between runs.

Reading and decoding a million pictures takes hours; a plan, a run and a run that goes on
after a kill ask the same again. Facts are kept by a file's place, name, size and times (its
ETag on S3), never by its name alone. Safe to delete at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pixel_core.workflow.store.cache import cache_root

NAME = "files.sqlite"

#: Facts are written after so many, or so many seconds: a kill loses no more.
_BATCH = 2000
_AGE_S = 5.0
#: Seconds to wait for another process that writes.
_PATIENCE_S = 30.0

#: Ordered as a folder is listed, so that facts are written side by side; a file that
#: changed takes the place of what was known of it before.
_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    folder BLOB, name BLOB, stamp TEXT, fact TEXT, PRIMARY KEY (folder, name)
) WITHOUT ROWID
"""
_FIND = "SELECT fact FROM files WHERE folder = ? AND name = ? AND stamp = ?"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file as it was listed. ``name`` is relative to the folder, with forward slashes."""

    name: str
    size: int  #: bytes
    #: Tells two contents of one name apart; "" for a file too young to be told by its time.
    stamp: str


class FolderMemory:
    """Texts by (kind, folder, file), below ``PIXEL_CACHE``. For several threads and processes.

    If the cache is unusable, log once and go on without it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._opened = False
        self._waiting: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        self._written = time.monotonic()

    def get(self, kind: str, url: str, file: FolderFile) -> str | None:
        """What was put for the file as it is now; None when nothing was."""
        if not file.stamp:
            return None
        key, stamp = _key(kind, url, file), _stamp(file)
        with self._lock:
            if key in self._waiting:
                known, fact = self._waiting[key]
                return fact if known == stamp else None
            database = self._connected()
            if database is None:
                return None
            try:
                row = database.execute(_FIND, (*key, stamp)).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
        return row[0] if row else None

    def put(self, kind: str, url: str, file: FolderFile, fact: str) -> None:
        """Keep a fact; a file too young to be told apart by its times is not remembered."""
        if not file.stamp:
            return
        with self._lock:
            self._waiting[_key(kind, url, file)] = (_stamp(file), fact)
            old = time.monotonic() - self._written > _AGE_S
            if old or len(self._waiting) >= _BATCH:
                self._write()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        database = self._connected() if self._waiting else None
        if database is not None:
            try:
                with database:
                    database.executemany(
                        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                        ((*key, *fact) for key, fact in self._waiting.items()),
                    )
            except sqlite3.Error as error:
                self._give_up(error)
        self._waiting.clear()
        self._written = time.monotonic()

    def _connected(self) -> sqlite3.Connection | None:
        if not self._opened:
            self._opened = True
            path = cache_root() / NAME
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._database = _open(path)
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)
        return self._database

    def _give_up(self, error: Exception) -> None:
        _log.warning(
            "what is known of files can't be kept in %s (%s): they are read again each time; "
            "delete the file, or set PIXEL_CACHE to a folder that can be written",
            cache_root() / NAME,
            error,
        )
        self._database = None


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_PATIENCE_S, check_same_thread=False)
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(_TABLE)
    return database


def _key(kind: str, url: str, file: FolderFile) -> tuple[bytes, bytes]:
    folder = hashlib.sha256(json.dumps([kind, url]).encode()).digest()[:16]
    return folder, os.fsencode(file.name)


def _stamp(file: FolderFile) -> str:
    return f"{file.size}/{file.stamp}"
