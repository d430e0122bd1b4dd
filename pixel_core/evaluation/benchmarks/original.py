"""Pixel Reasoner's own evaluation sets: one Parquet file beside ``images.zip``.

The zip may stay packed; unpacked it is the folder ``images``. A video's frames are the ones
that its authors chose, so ``frames`` says nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.benchmark import Layout
from pixel_core.evaluation.benchmarks.original_rows import COLUMNS, OPTIONAL, item_of
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.tables import parquet_columns, parquet_rows
from pixel_core.media.picture_files import MediaFiles, PictureFile


class OriginalReader:
    """See ``reading.Reader``."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._table = _table(copy.root, layout)
        self.media = MediaFiles(copy.root, setting="its `local`", links=copy.links)

    def tables(self) -> Sequence[Path]:
        return [self._table]

    def items(self, problems: Problems) -> Iterator[Item]:
        known = parquet_columns(self._table)
        columns = [*COLUMNS, *(name for name in OPTIONAL if name in known)]
        for number, (place, fields) in enumerate(parquet_rows([self._table], columns), 1):
            item = item_of(place, number, fields, problems)
            if item is not None:
                yield item

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return files


def _table(root: Path, layout: Layout) -> Path:
    """The file of questions: the one that the layout names, else the only one."""
    named = [root / name for name in layout.files if name.endswith(".parquet")]
    found = [path for path in named if path.is_file()] or sorted(root.glob("*.parquet"))
    if len(found) != 1:
        what = "several Parquet files" if found else "no Parquet file"
        raise DataError(
            f"there is {what} in {str(root)!r}; it needs one beside images.zip, as in the "
            f"dataset {layout.dataset}"
        )
    return found[0]
