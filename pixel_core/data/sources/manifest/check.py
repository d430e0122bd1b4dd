"""Checks a table of records: every record and every picture, all faults reported at once.

It streams, and keeps some tens of bytes per record: what its group and its id need
(``SplitBook``), and one byte for its fate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import secrets
import zlib
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.entries import RecordTable, Rules, entries
from pixel_core.data.sources.splits import ConflictingPair, SplitBook
from pixel_core.errors import DataError
from pixel_core.media.picture_files import PictureFile, is_settled, stamp_of
from pixel_core.workflow.store.cache import cache_root

#: The fate of a row that is in none of ``SPLITS``.
LEFT_OUT = 255


@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    #: For each row an index into ``SPLITS``, or ``LEFT_OUT``.
    fates: bytes
    records: int
    #: SHA-256 over the digests of the pictures in use, in order.
    pictures: str
    #: SHA-256 over the records' digests, in order.
    rows: str
    #: Counts of the omitted rows, by reason.
    left_out: dict[str, int] = field(default_factory=dict)


def check(
    table: RecordTable, rules: Rules, used: Callable[[PictureFile], None] = lambda file: None
) -> Checked:
    """Check everything. Raises ``DataError`` with every fault (place, field, value, remedy),
    and for a table without a record."""
    problems = Problems(table.subject)
    fates = bytearray()
    rows = array("I")  # row numbers of the records in the book
    pictures, content = hashlib.sha256(), hashlib.sha256()
    with SplitBook(rules.shares) as book:
        for entry in entries(table, rules, problems, used):
            fates.append(LEFT_OUT)
            if entry is None:
                continue
            rows.append(len(fates) - 1)
            digests = [facts.sha256 for _, facts in entry.pictures]
            for digest in digests:
                pictures.update(bytes.fromhex(digest))
            content.update(bytes.fromhex(entry.digest))
            own = entry.record.id is not None
            split = entry.record.split or rules.split
            book.add(entry.id, f"{'-+'[own]}{entry.place}", digests, split)
        reasons: Counter[str] = Counter()
        if rules.leave_out and len(book) < len(fates):
            reasons["faulty"] = len(fates) - len(book)
            reasons.update({f"faulty_{name}": n for name, n in problems.by_field.items()})
        splits, conflicts = book.settle()
        out = _noted(book, conflicts, rules, problems, reasons)
    for index, (row, split_number) in enumerate(zip(rows, splits, strict=True)):
        if index not in out:
            fates[row] = split_number
    if not rules.leave_out:
        problems.raise_if_any()
    records = len(rows) - len(out)
    if not records:
        problems.raise_if_any()
        raise DataError(f"{table.subject} has no records; write one a line")
    return Checked(
        bytes(fates),
        records,
        pictures.hexdigest(),
        content.hexdigest(),
        dict(sorted(reasons.items())),
    )


def _noted(
    book: SplitBook,
    conflicts: list[ConflictingPair],
    rules: Rules,
    problems: Problems,
    reasons: Counter[str],
) -> set[int]:
    """Report duplicate ids and conflicting splits; returns the records omitted for them."""
    out: set[int] = set()
    for pair in book.doubles():
        own, place = book.place(pair.second)[0] == "+", book.place(pair.second)[1:]
        if not own and rules.repeats:
            reasons["repeated"] += 1
            out.add(pair.second)
            continue
        kind = "was used" if own else "(derived: the same record) was used"
        fault = f"{kind} at {book.place(pair.first)[1:]}"
        problems.add(place, "id", book.id(pair.second), fault, "give each record its own id")
        if rules.leave_out:
            reasons["same_id"] += 1
            out.add(pair.second)
    for pair in conflicts:
        if pair.second in out:
            continue
        first = book.place(pair.first)[1:]
        problems.add(
            book.place(pair.second)[1:],
            "split",
            book.named(pair.second),
            f"is not {str(book.named(pair.first))!r} as at {first}, which shares a picture "
            "with it (by content, perhaps through other records)",
            "put records that share a picture into one split",
        )
        if rules.leave_out:
            reasons["split_conflict"] += 1
            out.add(pair.second)
    return out


# A finished check is cached until something it depends on changes.
#
# A run asks for a table's fingerprint several times, and so does every plan. Reading a million
# records takes a minute or more each time, checking their files' times some seconds. A verdict
# is stored below ``PIXEL_CACHE`` with the stamp of every file it depends on; it is valid while
# all stamps, the settings and the code are unchanged. Safe to delete.


#: Called with the path and stamp of a file that the check depends on.
RestsOn = Callable[[str, str], None]

#: Recently written paths are not written again; a shared picture is named often.
_RECENT = 20_000

_log = logging.getLogger(__name__)


def remembered(place: str, settings: str, compute: Callable[[RestsOn], Checked]) -> Checked:
    """The cached verdict on the table at ``place`` (its path) under ``settings``, or a new one.

    A failed check is not cached. An unwritable cache only costs time and is logged.
    """
    name = hashlib.sha256(os.path.abspath(place).encode("utf-8", "surrogateescape")).hexdigest()
    path = cache_root() / "checked" / f"{name[:32]}.jsonl"
    key = hashlib.sha256(f"{_code()} {settings}".encode()).hexdigest()
    if (known := _read(path, key)) is not None:
        return known
    part = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        out = part.open("x", encoding="utf-8")
    except OSError as error:
        _unwritable(path, error)
        return compute(lambda file, stamp: None)
    try:
        notes = _Notes(out, key)
        found = compute(notes.rests_on)
        if notes.end(found):
            os.replace(part, path)
    finally:
        out.close()
        part.unlink(missing_ok=True)
    return found


class _Notes:
    """The file of a verdict: the key, the files with their stamps, then the result."""

    def __init__(self, out: IO[str], key: str) -> None:
        self._out = out
        self._recent: set[tuple[str, str]] = set()
        self._usable = True
        self._line(key)

    def rests_on(self, path: str, stamp: str) -> None:
        # A file this recent could change without its times showing it.
        self._usable = self._usable and is_settled(stamp)
        if not self._usable or (path, stamp) in self._recent:
            return
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent.add((path, stamp))
        self._line([os.path.abspath(path), stamp])

    def end(self, checked: Checked) -> bool:
        """Returns whether the verdict may be kept."""
        fates = base64.b64encode(zlib.compress(checked.fates, 1)).decode()
        self._line({**asdict(checked), "fates": fates})
        if self._usable:
            self._out.flush()
        return self._usable

    def _line(self, value: object) -> None:
        if self._usable:
            self._out.write(json.dumps(value) + "\n")


def _read(path: Path, key: str) -> Checked | None:
    try:
        with path.open(encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != key:
                return None
            for line in lines:
                value = json.loads(line)
                if isinstance(value, dict):
                    fates = zlib.decompress(base64.b64decode(value.pop("fates")))
                    return Checked(fates=fates, **value)
                if stamp_of(value[0]) != value[1]:
                    return None
    except (OSError, ValueError, TypeError, LookupError, zlib.error):
        return None  # missing or damaged: check again
    return None


@lru_cache(maxsize=1)
def _code() -> str:
    """Digest of the checking code: other code could find what this version let pass."""
    total = hashlib.sha256()
    sources = Path(__file__).parents[1]
    ours = sources.parents[1]
    others = [*(ours / "media").glob("*.py"), ours / "rewards" / "boxed_answers.py"]
    for path in sorted([*sources.rglob("*.py"), *others]):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _unwritable(path: Path, error: OSError) -> None:
    _log.warning(
        "the check of a manifest can't be remembered in %s (%s), and is made again each "
        "time; set PIXEL_CACHE to a folder that can be written",
        path.parent,
        error,
    )
