"""The rows of a manifest file, JSONL or Parquet, as plain dictionaries with their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.errors import DataError
from pixel_core.media.picture_files import PictureFile
from pixel_core.nesting import loads

#: A longer record is not a picture question.
MAX_LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A record as written, and its place."""

    place: str
    #: None: its fault has been noted.
    fields: dict[str, Any] | None
    #: Pictures whose bytes are in the record, by the name that the fields use.
    embedded: Mapping[str, PictureFile] = field(default_factory=dict)


def read_rows(path: Path, problems: Problems) -> Iterator[ManifestRow]:
    """Yield every record; faulty lines go to ``problems``.

    A place reads "manifest.jsonl, line 7" (for Parquet: "row 7"), counted from 1. Raises
    ``DataError`` as ``check_file``, and for a damaged Parquet file.
    """
    check_file(path)
    yield from _jsonl(path, problems) if path.suffix == ".jsonl" else _parquet(path)


def check_file(path: Path) -> None:
    """Raise ``DataError`` when the file is missing, empty or of an unknown kind."""
    if not path.is_file():
        raise DataError(
            f"there is no manifest file {str(path)!r}; set ingest.manifest.path to a .jsonl "
            "or .parquet file"
        )
    if path.stat().st_size == 0:
        raise DataError(f"the manifest {str(path)!r} is empty; it needs one record a line")
    if path.suffix not in {".jsonl", ".parquet"}:
        raise DataError(
            f"the manifest {str(path)!r} ends in {path.suffix!r}; name it .jsonl or .parquet"
        )


def _jsonl(path: Path, problems: Problems) -> Iterator[ManifestRow]:
    with path.open("rb") as file:
        for number, raw in enumerate(_lines(file), 1):
            place = f"{path.name}, line {number}"
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            fields = _object(place, raw, problems)
            if fields is not None:
                yield ManifestRow(place, fields)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines; a line that is too long is cut just past the limit."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line


def _object(place: str, raw: bytes, problems: Problems) -> dict[str, Any] | None:
    """One line as a JSON object, or None after its fault was noted."""
    if len(raw) > MAX_LINE_BYTES:
        problems.add(
            place,
            "",
            f"over {MAX_LINE_BYTES} bytes",
            "is too long a line",
            "write one record a line",
        )
        return None
    try:
        value = loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        start = raw[max(0, error.start - 20) : error.start + 20].decode("utf-8", "replace")
        problems.add(place, "", start, "is not UTF-8", "save the file as UTF-8")
        return None
    except ValueError as error:
        text = raw.decode("utf-8", "replace").strip()
        problems.add(place, "", text, f"is not valid JSON ({error})", "mend the line")
        return None
    if not isinstance(value, dict):
        problems.add(place, "", value, "is not a JSON object", 'write {"image": ..., ...}')
        return None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"field {twice[0]!r} is given twice")
    return fields


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _parquet(path: Path) -> Iterator[ManifestRow]:
    # pyarrow takes a third of a second to import; only Parquet users wait for it.
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches(batch_size=1000):
            for fields in batch.to_pylist():
                number += 1
                yield ManifestRow(f"{path.name}, row {number}", fields)
    except pyarrow.ArrowException as error:
        raise DataError(
            f"the manifest {str(path)!r} is not a readable Parquet file ({error}); write it "
            "again, or use .jsonl"
        ) from error


# ``questions.jsonl``: questions about the files beside it.


QUESTIONS = "questions.jsonl"


def question_rows(folder: Folder, problems: Problems, example: str) -> Iterator[ManifestRow]:
    """Yield the file's records in order; lines that are not records go to ``problems``.

    ``example`` is a valid record to show. Raises ``DataError`` if the file is missing or
    empty.
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
