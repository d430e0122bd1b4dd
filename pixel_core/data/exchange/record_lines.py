"""Streams the records of a foreign file: JSONL, a JSON list, or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pixel_core.errors import DataError
from pixel_core.nesting import MAX_DEPTH, TooDeep, check_json_depth, loads

#: Longer records are refused; one with 16 frames' paths and texts takes a thousandth.
MAX_CHARACTERS = 4_000_000
_BLOCK = 1 << 16


class Unreadable:
    """Takes the place of an unreadable record and says why it is unreadable."""

    def __init__(self, fault: str) -> None:
        self.fault = fault


def read_records(path: Path) -> Iterator[Any]:
    """Yield each record as JSON values, or ``Unreadable``. Holds one at a time.

    Raises ``DataError`` for a file that is missing or of another kind, or whose list or table
    is damaged: what follows the damage can't be separated into records.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}; name a .jsonl, .json or .parquet file")
    if path.suffix == ".jsonl":
        yield from _jsonl(path)
    elif path.suffix == ".json":
        yield from _list(path)
    elif path.suffix == ".parquet":
        yield from _parquet(path)
    else:
        raise DataError(f"{path} ends in {path.suffix!r}; name it .jsonl, .json or .parquet")


def _jsonl(path: Path) -> Iterator[Any]:
    with path.open("rb") as lines:
        while line := lines.readline(MAX_CHARACTERS):
            if len(line) == MAX_CHARACTERS and not line.endswith(b"\n"):
                while rest := lines.readline(MAX_CHARACTERS):
                    if rest.endswith(b"\n"):
                        break
                yield Unreadable(f"a line of over {MAX_CHARACTERS} bytes")
            elif line.strip():
                try:
                    yield loads(line)
                except ValueError as error:
                    yield Unreadable(f"not JSON ({error})")


def _list(path: Path) -> Iterator[Any]:
    """The members of a JSON list, decoded as they arrive."""
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig") as source:
        try:
            text = _more("", source)
            text = text.lstrip()
            if not text.startswith("["):
                raise DataError(f"{path} is not a JSON list of records; name lines .jsonl")
            text = text[1:]
            first = True
            while True:
                text = _skip(text, source)
                if text.startswith("]"):
                    return
                if not first:
                    if not text.startswith(","):
                        raise DataError(f"{path}: a list without a comma, at {text[:40]!r}")
                    text = _skip(text[1:], source)
                value, text = _member(decoder, text, source, path)
                first = False
                yield value
        except TooDeep as error:
            raise DataError(f"{path}: a record is no JSON ({error})") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error


def _member(
    decoder: json.JSONDecoder, text: str, source: TextIO, path: Path
) -> tuple[Any, str]:
    """A member and the text after it; the block is doubled while it is incomplete."""
    while True:
        try:
            value, end = decoder.raw_decode(text)
            # A number at a block's end may continue in the next.
            if end < len(text) or not isinstance(value, int | float):
                return value, text[end:]
            fault = "it ends in the middle of a number"
        except ValueError as error:
            fault = str(error)
        longer = _more(text, source)
        if len(longer) == len(text) or len(text) > MAX_CHARACTERS:
            raise DataError(f"{path} is not a JSON list: {fault}, at {text[:40]!r}")
        text = longer


def _more(text: str, source: TextIO) -> str:
    """``text``, which begins between two members or with one, extended to twice its length.
    ``TooDeep`` for one that nests too deep to be decoded."""
    longer = text + source.read(max(_BLOCK, len(text)))
    check_json_depth(longer, MAX_DEPTH + 1)  # plus the list itself
    return longer


def _skip(text: str, source: TextIO) -> str:
    """Strip leading white space; reads more text if none is left."""
    text = text.lstrip(" \t\r\n")
    while not text:
        text = source.read(_BLOCK)
        if not text:
            raise DataError(f"{source.name} ends inside its list; fetch it again")
        text = text.lstrip(" \t\r\n")
    return text


def _parquet(path: Path) -> Iterator[Any]:
    # Takes a third of a second to import; only Parquet users wait for it.
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        for batch in table.iter_batches(batch_size=200):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file ({error})") from error
