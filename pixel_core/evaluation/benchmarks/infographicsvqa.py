"""InfographicsVQA's validation questions, in either published form.

The authors' own (https://rrc.cvc.uab.es/?ch=17): ``infographicsVQA_val_v1.0_withQT.json``,
{"data": [{"questionId", "question", "image_local_name", "answers", "answer_type", ...}]}, and
a folder ``infographicsvqa_images`` beside it. On the hub (lmms-lab/DocVQA, configuration
InfographicVQA): Parquet files with the columns questionId, question, answers, answer_type and
image. The answers of the test questions are not public, so those can't be scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.reading import Item, picture_in
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import (
    Cells,
    Raw,
    RowModel,
    json_list,
    parquet_rows,
    parsed,
    require,
)
from pixel_core.media.picture_files import MediaFiles, PictureFile

_QUESTIONS = "infographicsVQA_val_v1.0_withQT.json"
_PICTURES = "infographicsvqa_images"
_PARQUET = "validation-*.parquet"
_TEST = ("infographicsVQA_test*.json", "test-*.parquet")


class _InfographicsRow(RowModel):
    #: A number in the authors' file, a string on the hub.
    questionId: str | int
    question: str
    answers: list[str] = Field(min_length=1)
    answer_type: list[str] | None = None
    data_split: str = "val"
    image_local_name: str = ""


class InfographicsVQAReader:
    """See ``reading.Reader``; detects the form of the copy."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._list = copy.root / _QUESTIONS
        folders = (copy.root / "InfographicVQA", copy.root)
        found = (sorted(folder.glob(_PARQUET)) for folder in folders)
        self._parquets = [] if self._list.is_file() else next(filter(None, found), [])
        if not self._parquets:
            _refuse_test(copy.root, folders)
            require(self._list, f"give a folder that holds it, or {layout.files[0]}")
        self._cells = Cells(self._parquets, "image")
        self.media = MediaFiles(
            copy.root, setting="benchmarks.infographicsvqa.local", links=copy.links
        )

    def tables(self) -> Sequence[Path]:
        return self._parquets or [self._list]

    def items(self, problems: Problems) -> Iterator[Item]:
        for number, raw in enumerate(self._raw(problems)):
            row = parsed(raw, _InfographicsRow, problems)
            if row is None:
                continue
            if row.data_split == "test":
                remedy = "use the validation questions"
                problems.add(raw[0], "data_split", "test", "has no public answers", remedy)
                continue
            if not (self._parquets or row.image_local_name):
                problems.add(raw[0], "image_local_name", None, "is missing", "restore the row")
                continue
            local = () if self._parquets else (f"{_PICTURES}/{row.image_local_name}",)
            yield Item(
                id=f"infographicsvqa-{row.questionId}",
                place=raw[0],
                question=row.question,
                answers=tuple(row.answers),
                kind=_kind(row.answer_type or []),
                paths=local,
                detail=number,
            )

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return [picture_in(self._cells.at(item.detail))] if self._parquets else files

    def _raw(self, problems: Problems) -> Iterator[Raw]:
        if not self._parquets:
            return json_list(self._list, problems, "data")
        named = ("questionId", "question", "answers", "answer_type", "data_split")
        return parquet_rows(self._parquets, named)


def _kind(types: Sequence[str]) -> str:
    """The published answer type; a question may have several."""
    return types[0] if len(types) == 1 else "several types" if types else "untyped"


def _refuse_test(root: Path, folders: Sequence[Path]) -> None:
    found = next(
        (path for place in folders for kind in _TEST for path in place.glob(kind)), None
    )
    if found is not None:
        raise DataError(
            f"{str(found)!r} holds the test questions, whose answers are not public, so that "
            f"nothing can be scored: put {_QUESTIONS} or {_PARQUET} into {str(root)!r}"
        )
