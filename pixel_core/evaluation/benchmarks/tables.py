"""Rows of the files that hold a benchmark's questions: JSON lines, a JSON list, Parquet.

Unless stated otherwise, a missing or damaged file is a ``DataError``, and a malformed row is
one problem with its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pixel_core.data.faults import Problems
from pixel_core.errors import DataError
from pixel_core.nesting import loads

#: (place, the row as written).
Raw = tuple[str, dict[str, Any]]

_RESTORE = "restore the row as it was published"
#: A larger JSON file is not a file of questions: among the published, TallyQA's has the most
#: entries, 38,589 of about 200 bytes.
_MOST_BYTES = 100_000_000
#: Rows read at a time from a table of texts, and from one of pictures.
_BATCH = 1000
_PICTURES = 4
#: Bytes of a Parquet column to read ahead; the default is a row group's whole column.
_BUFFER = 1 << 20


class RowModel(BaseModel):
    """The columns a reader needs; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


R = TypeVar("R", bound=RowModel)


def parsed(raw: Raw, kind: type[R], problems: Problems) -> R | None:
    """The row as its model; None if faulty, with the faults noted."""
    place, values = raw
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # One fault a field: a union type reports one for each member.
        for name, fault in {str(fault["loc"][0]): fault for fault in error.errors()}.items():
            value = values.get(name)
            told = "is missing" if value is None else f"is wrong: {fault['msg']}"
            problems.add(place, name, value, told, _RESTORE)
        return None


def require(path: Path, remedy: str) -> Path:
    """The path itself. Raises ``DataError`` unless it is a file of plausible size."""
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}; {remedy}")
    if path.stat().st_size == 0:
        raise DataError(f"{str(path)!r} is empty; fetch or copy it again")
    return path


def json_lines(path: Path, problems: Problems) -> Iterator[Raw]:
    """One JSON object a line; skips empty lines. ``DataError`` for a file too large."""
    _check_size(path)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{path.name}, line {number}"
            if not line.strip():
                continue
            try:
                value = loads(line)
            except ValueError as error:
                text = line[:200].decode("utf-8", "replace").strip()
                problems.add(place, "", text, f"is not valid JSON ({error})", _RESTORE)
                continue
            if isinstance(value, dict):
                yield place, value
            else:
                problems.add(place, "", value, "is not a JSON object", _RESTORE)


def json_list(path: Path, problems: Problems, key: str = "") -> Iterator[Raw]:
    """A file with one JSON list of objects, or an object that holds it as ``key``. Reads the
    file as a whole."""
    _check_size(path)
    try:
        content = loads(path.read_bytes())
    except ValueError as error:
        raise DataError(
            f"{str(path)!r} is not valid JSON ({error}); fetch or copy it again"
        ) from error
    rows = content.get(key) if key and isinstance(content, dict) else content
    if not isinstance(rows, list):
        where = f"an object with a list {key!r}" if key else "a list"
        raise DataError(
            f"{str(path)!r} does not hold {where} of questions; is it another file?"
        )
    for number, value in enumerate(rows, 1):
        place = f"{path.name}, entry {number}"
        if isinstance(value, dict):
            yield place, value
        else:
            problems.add(place, "", value, "is not a JSON object", _RESTORE)


def _check_size(path: Path) -> None:
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise DataError(
            f"{str(path)!r} has {size:,} bytes, over {_MOST_BYTES:,}: that is no file of "
            "questions; fetch or copy it again"
        )


def parquet_rows(paths: Sequence[Path], columns: Iterable[str]) -> Iterator[Raw]:
    """The named columns of all rows, in the files' order. ``DataError`` for a file that is
    damaged or lacks a column."""
    wanted = list(columns)
    for path in paths:
        number = 0
        for rows in _batches(path, wanted, _BATCH):
            for row in rows:
                number += 1
                yield f"{path.name}, row {number}", row


class Cells:
    """One column's values by row number over several files, read lazily, so that a column of
    pictures is never held as a whole."""

    def __init__(self, paths: Sequence[Path], column: str) -> None:
        self._paths = paths
        self._column = column
        self._rows = self._opened()
        self._next = 0
        self._last: tuple[int, Any] | None = None

    def at(self, row: int) -> Any:
        """Row ``row`` (0-based). Fast in ascending order; going back starts over.
        ``IndexError`` beyond the last."""
        if self._last is not None and self._last[0] == row:
            return self._last[1]
        if row < self._next:
            self._rows, self._next = self._opened(), 0
        for value in self._rows:
            self._next += 1
            if self._next > row:
                self._last = row, value
                return self._last[1]
        raise IndexError(f"there is no row {row} in {[path.name for path in self._paths]}")

    def _opened(self) -> Iterator[Any]:
        for path in self._paths:
            for rows in _batches(path, [self._column], _PICTURES):
                yield from (row[self._column] for row in rows)


def parquet_columns(path: Path) -> list[str]:
    """A file's columns. ``DataError`` if it is damaged."""
    with _parquet(path) as file:
        return file.schema_arrow.names


def _batches(path: Path, columns: list[str], size: int) -> Iterator[list[dict[str, Any]]]:
    with _parquet(path) as file:
        have = file.schema_arrow.names
        if lacking := sorted(set(columns) - set(have)):
            raise DataError(
                f"{path.name} has no columns {lacking}, it has {have}; is it the file that was "
                "published?"
            )
        for batch in file.iter_batches(batch_size=size, columns=columns):
            yield batch.to_pylist()


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    # pyarrow takes a third of a second to import; only Parquet users pay for it.
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{str(path)!r} is not a readable Parquet file ({error}); fetch or copy it again"
        ) from error
