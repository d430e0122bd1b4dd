"""TallyQA's complex questions as its authors publish them: ``test.json``, and the pictures of
Visual Genome and COCO in folders (or zips) beside it.

The file is one list of {"image": "VG_100K_2/2410408.jpg", "question", "answer": a number,
"issimple", "question_id", "image_id", "data_source"}
(https://github.com/manoja328/TallyQA_dataset, README). Test-Complex are the questions that are
not simple.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import RowModel, json_list, parsed, require
from pixel_core.media.picture_files import MediaFiles, PictureFile

_QUESTIONS = "test.json"


class _TallyQARow(RowModel):
    image: str
    question: str
    answer: int = Field(ge=0)
    issimple: bool
    question_id: int


class TallyQAReader:
    """See ``reading.Reader``."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._questions = require(copy.root / _QUESTIONS, f"give a folder with {layout.copy}")
        self.media = MediaFiles(
            copy.root, setting="benchmarks.tallyqa_complex.local", links=copy.links
        )

    def tables(self) -> Sequence[Path]:
        return [self._questions]

    def items(self, problems: Problems) -> Iterator[Item]:
        for raw in json_list(self._questions, problems):
            row = parsed(raw, _TallyQARow, problems)
            if row is None or row.issimple:
                continue
            yield Item(
                id=f"tallyqa-{row.question_id}",
                place=raw[0],
                question=row.question,
                answers=(str(row.answer),),
                kind="complex",
                paths=(row.image,),
            )

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return files
