"""Synchronises the ledger's index with the segments, which are the source of truth."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from pixel_core.data.annotation.ledger.ledger_index import LedgerIndex, remove_files
from pixel_core.data.annotation.ledger.segments import LedgerEntry, unpack
from pixel_core.errors import StorageError
from pixel_core.workflow.stage import Progress, SharedNotes

SEGMENTS = "ledger/segments/"
INDEX = "ledger.sqlite"
#: Distinguishes a ledger from an earlier one in the same place.
_IDENTITY = "ledger/identity"


def in_step(
    notes: SharedNotes, path: Path | None, progress: Progress
) -> tuple[LedgerIndex, dict[str, int]]:
    """The index with every answer in it, and the segments' sizes in bytes by name.

    Call it while holding the notes. Raises ``StorageError``.
    """
    identity = (notes.get(_IDENTITY) or b"").decode("ascii", "replace")
    if not identity:
        identity = secrets.token_hex(16)
        notes.put(_IDENTITY, identity.encode())
    sizes = segment_sizes(notes)
    try:
        index = _opened(path, identity)
        _fill(index, notes, sizes, progress)
    except sqlite3.OperationalError as error:  # locked, or no space: a new one won't help
        raise StorageError(
            f"the index of answers {path or 'in memory'} can't be written: {error}; check that "
            "its folder is writable and has free space, and run again: no answer is lost"
        ) from error
    except sqlite3.DatabaseError as error:
        if path is None:
            raise
        progress.note(f"the index of answers {path} is damaged ({error}); it is made anew")
        remove_files(path)
        index = _opened(path, identity)
        _fill(index, notes, sizes, progress)
    index.map_file()
    return index, sizes


def peek(notes: SharedNotes, path: Path, most: int) -> LedgerIndex | None:
    """The index for readers outside a run, while another run may be writing; None if
    synchronising it would mean reading more than ``most`` bytes of segments."""
    sizes = segment_sizes(notes)
    identity = (notes.get(_IDENTITY) or b"").decode("ascii", "replace")
    try:
        index = LedgerIndex(path)
        if not index.identity:
            index.belong_to(identity)
        if not identity or index.identity != identity:
            index.close()  # only a run rebuilds it
            return None
        known = index.segments()
        missing = {name: size for name, size in sizes.items() if name not in known}
        if sum(missing.values()) > most:
            index.close()
            return None
        for name in missing:
            index.add(name, unpack(notes.get(name) or b""))
    except sqlite3.DatabaseError:
        return None
    return index


def segment_sizes(notes: SharedNotes) -> dict[str, int]:
    """Bytes of each segment, by name in chronological order."""
    return {name: size for name, size in notes.sizes().items() if name.startswith(SEGMENTS)}


def _opened(path: Path | None, identity: str) -> LedgerIndex:
    index = LedgerIndex(path)
    if index.identity not in ("", identity):
        index.discard()  # of a ledger that was removed, or put back from a copy
        index = LedgerIndex(path)
    if not index.identity:
        index.belong_to(identity)
    return index


def _fill(
    index: LedgerIndex, notes: SharedNotes, sizes: Mapping[str, int], progress: Progress
) -> None:
    known = index.segments()
    missing = [name for name in sizes if name not in known]
    for number, name in enumerate(missing):
        if len(missing) > 1:
            progress.update(number, len(missing))
        entries = _read(notes, name, progress)
        if entries is not None:
            index.add(name, entries)
    index.forget(known - set(sizes))


def _read(notes: SharedNotes, name: str, progress: Progress) -> list[LedgerEntry] | None:
    """A segment's answers; of a damaged one the intact ones, with a warning."""
    data = notes.get(name)
    if data is not None:
        return list(unpack(data))
    data = notes.salvage(name)
    if data is None:
        return None
    entries = list(unpack(data))
    progress.note(
        f"warning: the record of answers {name!r} is damaged; {len(entries)} answers in it are "
        "sound, what else it held will be asked, and paid, again"
    )
    return entries
