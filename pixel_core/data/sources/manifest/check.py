"""The check of a table of records: every record and every picture, all faults told at once.

It streams. What stays of a record is some tens of bytes: what its group and its id need
(``SplitBook``), and one byte that says what becomes of it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.entries import RecordTable, Rules, entries
from pixel_core.data.sources.splits import ConflictingPair, SplitBook
from pixel_core.errors import DataError
from pixel_core.media.picture_files import PictureFile

#: What becomes of a row that is in none of ``SPLITS``.
LEFT_OUT = 255


@dataclass(frozen=True)
class Checked:
    """What a table came to."""

    #: For each row a number into ``SPLITS``, or ``LEFT_OUT``.
    fates: bytes
    records: int
    #: SHA-256 over the digests of the pictures in use, in order.
    pictures: str
    #: SHA-256 over the records' digests, in order.
    rows: str
    #: Of the rows that were left out, by reason.
    left_out: dict[str, int] = field(default_factory=dict)


def check(
    table: RecordTable, rules: Rules, used: Callable[[PictureFile], None] = lambda file: None
) -> Checked:
    """Look at everything. Raises ``DataError`` with every fault: place, field, value,
    remedy; and for a table without a record."""
    problems = Problems(table.subject)
    fates = bytearray()
    rows = array("I")  # of the records in the book
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
    """Note double ids and splits that conflict; the records that are left out for them."""
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
