"""V* as its authors publish it: ``test_questions.jsonl`` and one folder of pictures for each
kind.

A row is {"image": "direct_attributes/sa_4690.jpg", "text": the question with its options and
an instruction, "category", "question_id", "label": the right option's letter}. The JSON file
beside each picture lists the options too, always with the right one first: scoring from those
files would make A the key of every question. So they are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.original import taken_apart
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import RowModel, json_lines, parsed, require
from pixel_core.media.picture_files import MediaFiles, PictureFile

_QUESTIONS = "test_questions.jsonl"


class _VStarRow(RowModel):
    image: str
    text: str
    category: str
    #: A string in the file; a number would do.
    question_id: str | int
    label: str = Field(pattern="^[A-Z]$")


class VStarReader:
    """See ``reading.Reader``."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._layout = layout
        remedy = "give the folder that holds it, with the folders of pictures beside it"
        self._questions = require(copy.root / _QUESTIONS, remedy)
        self.media = MediaFiles(copy.root, setting="benchmarks.vstar.local", links=copy.links)

    def tables(self) -> Sequence[Path]:
        return [self._questions]

    def items(self, problems: Problems) -> Iterator[Item]:
        for raw in json_lines(self._questions, problems):
            row = parsed(raw, _VStarRow, problems)
            item = self._item(raw[0], row, problems) if row else None
            if item is not None:
                yield item

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return files

    def _item(self, place: str, row: _VStarRow, problems: Problems) -> Item | None:
        question, choices = taken_apart(row.text)
        before = problems.count
        if not choices:
            remedy = "each line of options must begin with its letter: (A), (B), ..."
            problems.add(place, "text", row.text, "has no options that can be told", remedy)
        elif row.label not in _letters(choices):
            fault, remedy = "is no option's letter", f"it must be one of {_letters(choices)}"
            problems.add(place, "label", row.label, fault, remedy)
        if row.category not in self._layout.kinds:
            remedy = f"it must be one of {', '.join(self._layout.kinds)}"
            problems.add(place, "category", row.category, "is unknown", remedy)
        if problems.count > before:
            return None
        return Item(
            # The question_id is unique only within an upload; the category completes it.
            id=f"vstar-{row.category}-{row.question_id}",
            place=place,
            question=question,
            choices=choices,
            key=_letters(choices).index(row.label),
            kind=row.category,
            paths=(row.image,),
        )


def _letters(choices: Sequence[str]) -> str:
    return "".join(chr(ord("A") + place) for place in range(len(choices)))
