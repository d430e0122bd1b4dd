"""The records of a folder of pages, checked together with their pages, ids and splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder, FolderFile
from pixel_core.data.sources.manifest.record import final_answers, parse_record
from pixel_core.data.sources.manifest.rows import question_rows
from pixel_core.data.sources.splits import SPLITS, SplitBook, settle
from pixel_core.errors import DataError
from pixel_core.records import Split

# ``questions.jsonl`` beside the pages: strictly parsed questions about them.


_EXAMPLE = '{"page": "a.html", "question": "...", "answer": "..."}'
FIELDS = ("page", "question", "answer", "choices", "id", "split", "subject", "occurrence")

HTML = (".html", ".htm")
MARKDOWN = (".md",)


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """A checked record. ``answer`` is the text to find on the page."""

    place: str
    page: str
    question: str
    answer: str
    choices: tuple[str, ...]
    #: Which of several on the page, from 1; None if it must be the only one.
    occurrence: int | None
    subject: str
    id: str | None
    split: Split | None

    def digest(self, page_sha256: str) -> str:
        """Hexadecimal, over the question and the page's own file."""
        content = [self.question, self.answer, self.choices, self.occurrence, page_sha256]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_questions(folder: Folder, problems: Problems) -> list[PageQuestion]:
    """All valid records in order; the faults of the others go to ``problems``.

    Raises ``DataError`` as ``question_rows``.
    """
    parsed = (
        _parsed(row.place, row.fields, problems)
        for row in question_rows(folder, problems, _EXAMPLE)
        if row.fields
    )
    return [question for question in parsed if question]


def _parsed(place: str, fields: dict[str, Any], problems: Problems) -> PageQuestion | None:
    before = problems.count
    for name in fields:
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            problems.add(place, name, fields[name], "is an unknown field", f"known: {known}")
    page = fields.get("page")
    if not isinstance(page, str) or not PurePosixPath(page).suffix:
        problems.add(
            place,
            "page",
            page,
            "is missing" if page is None else "is no page's name",
            "name a .html, .htm or .md file, as a path inside the folder",
        )
    elif PurePosixPath(page).suffix.lower() not in (*HTML, *MARKDOWN):
        problems.add(
            place, "page", page, "is of an unknown kind", "give a .html, .htm or .md file"
        )
    occurrence = fields.get("occurrence")
    if occurrence is not None and (type(occurrence) is not int or occurrence < 1):
        problems.add(
            place,
            "occurrence",
            occurrence,
            "is no place in a row",
            "write 1 for the first on the page, 2 for the second",
        )
    # The other fields mean what they do in a manifest; the page takes the place of "image".
    shared = {name: fields[name] for name in fields if name in FIELDS}
    shared.pop("occurrence", None)
    shared["image"] = shared.pop("page", None) or "page"
    record = parse_record(place, shared, problems)
    if record is None or problems.count > before:
        return None
    assert isinstance(page, str)  # else a problem was added
    return PageQuestion(
        place=place,
        page=page,
        question=record.question.strip(),
        answer=final_answers(record)[0],
        choices=tuple(choice.strip() for choice in record.choices or ()),
        occurrence=occurrence,
        subject=(record.subject or "").strip(),
        id=record.id,
        split=record.split,
    )


@dataclass(frozen=True, slots=True)
class PageEntry:
    """``digest`` covers the record and its page's file."""

    question: PageQuestion
    id: str
    split: Split
    digest: str


def read_entries(
    folder: Folder, files: Mapping[str, FolderFile], shares: SplitShares
) -> list[PageEntry]:
    """All records in order. Raises ``DataError`` with every fault."""
    problems = Problems(f"the pages in {folder.url!r}")
    questions = read_questions(folder, problems)
    pages = _digests(folder, files, questions, problems)
    questions = [question for question in questions if question.page in pages]
    digests = [question.digest(pages[question.page]) for question in questions]
    ids = [
        question.id or f"pages-{digest[:24]}"
        for question, digest in zip(questions, digests, strict=True)
    ]
    with SplitBook(shares) as book:
        for question, id in zip(questions, ids, strict=True):
            # Pages with the same content share a split.
            book.add(id, question.place, (pages[question.page],), question.split)
        splits = [SPLITS[number] for number in settle(book, problems, "page")]
    problems.raise_if_any()
    return [
        PageEntry(question, id, split, digest)
        for question, id, split, digest in zip(questions, ids, splits, digests, strict=True)
    ]


def _digests(
    folder: Folder,
    files: Mapping[str, FolderFile],
    questions: list[PageQuestion],
    problems: Problems,
) -> dict[str, str]:
    """The SHA-256 of each page in a question; unreadable pages are reported."""
    digests: dict[str, str] = {}
    for question in questions:
        page = question.page
        if page in digests:
            continue
        try:
            # A non-ASCII name may be spelled otherwise in the folder.
            listed = files.get(page) or (None if page.isascii() else folder.find(page))
            if listed is None:
                told = f"is not in {folder.url!r}"
                remedy = "put the page there, or mend its name"
                problems.add(question.place, "page", page, told, remedy)
                continue
            digests[page] = folder.sha256(listed)
        except DataError as error:
            told = f"can't be read: {error}"
            problems.add(question.place, "page", page, told, "or leave the record out")
    return digests
