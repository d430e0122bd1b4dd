"""The records of a folder of pages with their pages, ids and splits, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder, FolderFile
from pixel_core.data.sources.pages.pages_records import PageQuestion, read_questions
from pixel_core.data.sources.splits import SPLITS, SplitBook, settle
from pixel_core.errors import DataError
from pixel_core.records import Split


@dataclass(frozen=True, slots=True)
class PageEntry:
    """``digest`` is over the record and its page's file."""

    question: PageQuestion
    id: str
    split: Split
    digest: str


def read_entries(
    folder: Folder, files: Mapping[str, FolderFile], shares: SplitShares
) -> list[PageEntry]:
    """All records in their order. Raises ``DataError`` with everything that is wrong."""
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
            # Pages of the same content stand together.
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
    """The SHA-256 of each page that is asked about; those that can't be read are noted."""
    digests: dict[str, str] = {}
    for question in questions:
        page = question.page
        if page in digests:
            continue
        try:
            # A name that is not ASCII may be written otherwise in the folder.
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
