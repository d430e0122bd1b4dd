"""Which contents came by already, of any number, in bounded memory."""

from __future__ import annotations

import sqlite3
from types import TracebackType

#: Kilobytes of the table that are held; the rest is on disk.
_HELD = 32_768


class SeenDigests:
    """A set of digests in a private temporary file that vanishes with the process."""

    def __enter__(self) -> SeenDigests:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_HELD}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def add(self, digest: str) -> bool:
        """Whether the hexadecimal digest is new."""
        done = self._database.execute(
            "INSERT OR IGNORE INTO seen VALUES (?)", (bytes.fromhex(digest),)
        )
        return done.rowcount == 1
