"""Streams the rows of a dataset's files, split by split, through ``datasets``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

from pixel_core.config import HubConfig
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError
from pixel_core.media.picture_files import stamp_of

_READERS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
}
#: Suffixes tried in this order if a dataset in the original's formats names no files.
_FOUND_FIRST = (".parquet", ".jsonl", ".json")

#: Other names of our splits.
_NAMES = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
}


class HubRows:
    """Opened on a copy. Raises ``DataError`` for files that are missing, unknown or outside
    the copy, and for splits that don't fit ``from_splits``."""

    def __init__(self, copy: Copy, config: HubConfig) -> None:
        self._copy = copy
        self._config = config
        self._builder = self._opened()
        self.files = sorted(self._data_files())
        self.splits = self._splits()

    def stamps(self) -> list[tuple[str, str]]:
        """The data files with their stamps."""
        return [(path, stamp_of(path)) for path in self.files]

    def rows(self, theirs: str) -> Iterator[dict[str, Any]]:
        """The rows of one of their splits; pictures stay encoded, labels become text."""
        try:
            stream = self._builder.as_streaming_dataset(split=theirs)
            labels = _labels(stream.features or {})
            for row in stream.decode(False) if stream.features else stream:
                for column, label in labels.items():
                    if isinstance(row[column], int) and row[column] >= 0:
                        row[column] = label.int2str(row[column])
                yield row
        except _damage() as error:
            raise DataError(
                f"the split {theirs!r} in {self._copy.root} can't be read ({_reason(error)}); "
                "check its files, or fetch them again"
            ) from error

    def _opened(self) -> Any:
        from datasets import load_dataset_builder

        files = self._config.files or self._found_files()
        subset = self._config.subset or None
        try:
            if not files:
                return load_dataset_builder(str(self._copy.root), subset)
            root = self._copy.root.resolve()
            kind = _reader(files)
            return load_dataset_builder(kind, data_files=_below(root, files))
        except _damage() as error:
            raise DataError(
                f"the dataset in {self._copy.root} can't be opened ({_reason(error)}); check "
                "ingest.hub.subset and ingest.hub.files"
            ) from error

    def _found_files(self) -> dict[str, str]:
        """For the original's formats: all files of the first suffix found, as train."""
        if self._config.format == "plain":
            return {}
        for suffix in _FOUND_FIRST:
            if next(self._copy.root.rglob(f"*{suffix}"), None) is not None:
                return {"train": f"**/*{suffix}"}
        raise DataError(
            f"there is no {', '.join(_FOUND_FIRST)} file in {self._copy.root}; set "
            "ingest.hub.files"
        )

    def _data_files(self) -> Iterator[str]:
        """Every data file's path; a dataset card may name files anywhere."""
        links = self._copy.links.resolve()
        for paths in (self._builder.config.data_files or {}).values():
            for path in paths:
                # A file in an archive reads "zip://inner::/path/of/archive.zip".
                outer = str(path).rpartition("::")[2]
                if "://" in outer or not Path(outer).resolve().is_relative_to(links):
                    raise DataError(
                        f"the dataset in {self._copy.root} reads {outer!r}, which is outside "
                        "of it; name its files in ingest.hub.files"
                    )
                yield outer

    def _splits(self) -> list[tuple[str, str]]:
        """(theirs, ours) in the order of their names; ours is "" for records split by id."""
        have = sorted(str(name) for name in self._builder.config.data_files or {})
        wanted: dict[str, str] = dict(self._config.from_splits)
        if not wanted:
            unknown = [name for name in have if name not in _NAMES]
            if unknown:
                raise DataError(
                    f"the dataset in {self._copy.root} has the splits {have}; say in "
                    f"ingest.hub.from_splits what {unknown} are for: train, validation, test, "
                    'or "" for by id'
                )
            wanted = {name: _NAMES[name] for name in have}
        if missing := sorted(set(wanted) - set(have)):
            raise DataError(
                f"ingest.hub.from_splits names {missing}; the dataset in {self._copy.root} "
                f"has {have}"
            )
        return sorted(wanted.items())


def _damage() -> tuple[type[Exception], ...]:
    """Exceptions of ``datasets`` for files that it can't use: the card's YAML, a script, an
    empty or damaged table."""
    from datasets.exceptions import DatasetsError
    from pyarrow import ArrowException
    from yaml import YAMLError

    plain = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
    return (DatasetsError, ArrowException, YAMLError, StopIteration, *plain)


def _reason(error: Exception) -> str:
    said = str(error).strip().partition("\n")[0]
    return (said or type(error).__name__)[:300]


def _reader(files: dict[str, str]) -> str:
    kinds = {_READERS.get(Path(pattern).suffix) for pattern in files.values()}
    kind = next(iter(kinds))
    if len(kinds) > 1 or kind is None:
        raise DataError(
            f"ingest.hub.files {files} must all end in one of {', '.join(_READERS)}"
        )
    return kind


def _below(root: Path, files: dict[str, str]) -> dict[str, list[str]]:
    """Each split's files, escaped because ``datasets`` treats them as patterns."""
    found: dict[str, list[str]] = {}
    for split, pattern in sorted(files.items()):
        if os.path.isabs(pattern) or ".." in Path(pattern).parts:
            raise DataError(
                f"ingest.hub.files.{split} {pattern!r} leads out of the dataset; give a "
                "pattern relative to its folder"
            )
        paths = [str(path) for path in root.glob(pattern) if path.is_file()]
        found[split] = [escape(path) for path in sorted(paths)]
        if not found[split]:
            raise DataError(
                f"no file in {root} is named as ingest.hub.files.{split} says, {pattern!r}"
            )
    return found


def _labels(features: Any) -> dict[str, Any]:
    """The columns of numeric class labels."""
    from datasets import ClassLabel

    return {name: kind for name, kind in features.items() if isinstance(kind, ClassLabel)}
