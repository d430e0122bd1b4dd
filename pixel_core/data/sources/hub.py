"""From a dataset's row to a manifest's fields."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pixel_core.data.sources.manifest.record import FIELDS
from pixel_core.media.picture_files import PictureFile, embedded

_TEXTS = frozenset(
    {"id", "question", "answer", "answers", "choices", "subject", "kind", "split"}
)
#: Fields of one thing whose column may hold a list: the field for several.
_SEVERAL = {"image": "images", "answer": "answers"}

_MISSING = object()


def picked(row: Mapping[str, Any], fields: Mapping[Any, str]) -> dict[str, Any]:
    """What ``fields`` (ours -> their column, with dots) name in the row, numbers as text
    where we have text; {}: the columns that are named as our fields are."""
    found: dict[str, Any] = {}
    for ours, theirs in sorted((fields or {n: n for n in FIELDS if n in row}).items()):
        value = at(row, theirs)
        if value is None or value is _MISSING:
            continue
        if isinstance(value, list) and ours in _SEVERAL:
            ours = _SEVERAL[ours]
        found[ours] = _texts(value) if ours in _TEXTS else value
    return found


def has_column(row: Mapping[str, Any], dotted: str) -> bool:
    return at(row, dotted) is not _MISSING


def at(row: Any, dotted: str) -> Any:
    """The value a dotted column means; below a list, that of each item."""
    if isinstance(row, list):
        return [at(item, dotted) for item in row]
    if isinstance(row, Mapping) and dotted in row:
        return row[dotted]  # a column whose own name has dots
    head, dot, rest = dotted.partition(".")
    if not isinstance(row, Mapping) or head not in row:
        return None if row is None else _MISSING
    return at(row[head], rest) if dot else row[head]


class Absorber:
    """Takes the pictures' bytes out of a row, and puts names in their places."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.pictures: dict[str, PictureFile] = {}

    def absorb(self, value: Any) -> Any:
        """The value with a name for each {"bytes", "path"} in it; a path that leads into
        the dataset's folder becomes relative to it."""
        if isinstance(value, bytes):
            return self._take(value, "")
        if isinstance(value, list):
            return [self.absorb(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() != {"bytes", "path"}:
            return {name: self.absorb(item) for name, item in value.items()}
        path = value["path"]
        if isinstance(value["bytes"], bytes):
            return self._take(value["bytes"], path if isinstance(path, str) else "")
        if isinstance(path, str) and path.startswith(self._root + os.sep):
            return os.path.relpath(path, self._root)
        return path

    def _take(self, data: bytes, path: str) -> str:
        file = embedded(data, path)
        name = f"picture {len(self.pictures) + 1}{PurePosixPath(file.name).suffix}"
        self.pictures[name] = file
        return name


def _texts(value: Any) -> Any:
    """Numbers as they are written; other kinds are left for the record's check."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
