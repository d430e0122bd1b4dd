"""The rows of a manifest file, JSONL or Parquet, as plain dictionaries with their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError
from pixel_core.seeds.problems import Problems

#: One record longer than this is not a picture question.
MAX_LINE_BYTES = 1_000_000


def read_rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, fields) for every record; faulty lines go to ``problems``.

    A place reads "manifest.jsonl, line 7" (for Parquet: "row 7"), counted from 1. Raises
    ``DataError`` when the file itself is missing, empty or of an unknown kind.
    """
    if not path.is_file():
        raise DataError(
            f"there is no manifest file {str(path)!r}; set ingest.manifest.path to a .jsonl "
            "or .parquet file"
        )
    if path.stat().st_size == 0:
        raise DataError(f"the manifest {str(path)!r} is empty; it needs one record a line")
    if path.suffix == ".jsonl":
        yield from _jsonl(path, problems)
    elif path.suffix == ".parquet":
        yield from _parquet(path)
    else:
        raise DataError(
            f"the manifest {str(path)!r} ends in {path.suffix!r}; name it .jsonl or .parquet"
        )


def _jsonl(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            place = f"{path.name}, line {number}"
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            fields = _object(place, raw, problems)
            if fields is not None:
                yield place, fields


def _object(place: str, raw: bytes, problems: Problems) -> dict[str, Any] | None:
    """One line as a JSON object, or None after its fault was noted."""
    if len(raw) > MAX_LINE_BYTES:
        problems.add(
            place, "", f"{len(raw)} bytes", "is too long a line", "write one record a line"
        )
        return None
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        start = raw[max(0, error.start - 20) : error.start + 20].decode("utf-8", "replace")
        problems.add(place, "", start, "is not UTF-8", "save the file as UTF-8")
        return None
    except (ValueError, RecursionError) as error:
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


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # pyarrow takes a third of a second to import; only Parquet users pay for it.
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches(batch_size=1000):
            for fields in batch.to_pylist():
                number += 1
                yield f"{path.name}, row {number}", fields
    except pyarrow.ArrowException as error:
        raise DataError(
            f"the manifest {str(path)!r} is not a readable Parquet file ({error}); write it "
            "again, or use .jsonl"
        ) from error
