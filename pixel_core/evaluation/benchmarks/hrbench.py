"""HR-Bench 4K and 8K as their authors publish them: one Parquet file each.

Its columns are index, answer (the right option's letter), question, A, B, C, D, category
("single", "cross"), cycle_category and image (a picture's file in base64). Each of the 200
questions has four rows, with the right option in each place once: the score over all rows is
the authors' mean over the four turns, which have equally many rows. Scoring finds a question's
rows by its picture, text and set of options, and counts it once
(``row_answers.asked_questions``).

The file is one row group whose pages hold up to a whole column, so reading the pictures takes
memory: 0.9 GB measured for a column of 0.4 GB, and 5 GB for one of 8.9 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.reading import Item, picture_in
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import (
    Cells,
    RowModel,
    parquet_rows,
    parsed,
    require,
)
from pixel_core.media.picture_files import MediaFiles, PictureFile

_LETTERS = ("A", "B", "C", "D")


class _HRBenchRow(RowModel):
    index: int | str
    question: str
    answer: str = Field(pattern="^[A-D]$")
    category: str
    cycle_category: int | str
    A: str
    B: str
    C: str
    D: str


class HRBenchReader:
    """See ``reading.Reader``."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._layout = layout
        (name,) = layout.files
        remedy = f"give the folder that holds {name} of {layout.dataset}"
        self._table = require(copy.root / name, remedy)
        self._pictures = Cells([self._table], "image")
        setting = f"benchmarks.{self._table.stem.replace('hr_bench', 'hrbench')}.local"
        self.media = MediaFiles(copy.root, setting=setting, links=copy.links)

    def tables(self) -> Sequence[Path]:
        return [self._table]

    def items(self, problems: Problems) -> Iterator[Item]:
        for number, raw in enumerate(parquet_rows([self._table], _HRBenchRow.model_fields)):
            row = parsed(raw, _HRBenchRow, problems)
            if row is None:
                continue
            if row.category not in self._layout.kinds:
                remedy = f"it must be one of {', '.join(self._layout.kinds)}"
                problems.add(raw[0], "category", row.category, "is unknown", remedy)
                continue
            yield Item(
                id=f"{self._table.stem}-{row.index}",
                place=raw[0],
                question=row.question.strip(),
                choices=(row.A.strip(), row.B.strip(), row.C.strip(), row.D.strip()),
                key=_LETTERS.index(row.answer),
                kind=row.category,
                turn=str(row.cycle_category),
                detail=number,
            )

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return [picture_in(self._pictures.at(item.detail))]
