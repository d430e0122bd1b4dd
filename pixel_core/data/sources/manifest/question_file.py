"""``questions.jsonl``: what is asked about the files it lies beside."""

from __future__ import annotations

from collections.abc import Iterator

from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.manifest.rows import ManifestRow, read_rows
from pixel_core.errors import DataError

QUESTIONS = "questions.jsonl"


def question_rows(folder: Folder, problems: Problems, example: str) -> Iterator[ManifestRow]:
    """Yield the file's records in their order; lines that are none go to ``problems``.

    ``example`` is a record as it may stand there. Raises ``DataError`` when there is no such
    file, or nothing in it.
    """
    listed = folder.find(QUESTIONS)
    if listed is None or not listed.size:
        state = "is empty" if listed else "is missing"
        raise DataError(
            f"{QUESTIONS} in {folder.url!r} {state}; write one object a line there: {example}"
        )
    rows, before = 0, problems.count
    with folder.local(QUESTIONS) as path:
        for row in read_rows(path, problems):
            rows += 1
            yield row
    if not rows and problems.count == before:
        raise DataError(f"{QUESTIONS} in {folder.url!r} has no records; write one a line")
