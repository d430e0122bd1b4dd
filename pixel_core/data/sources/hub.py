"""Seeds from a dataset on the Hugging Face hub: its rows as a manifest's fields."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pixel_core.config import HubConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy, Dataset, check_dataset, copy_of
from pixel_core.data.sources.hub_rows import HubRows
from pixel_core.data.sources.manifest.entries import Rules
from pixel_core.data.sources.manifest.record import FIELDS
from pixel_core.data.sources.manifest.rows import ManifestRow
from pixel_core.data.sources.manifest.source import TableSeeds
from pixel_core.data.sources.original import converted, has_repeats
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.picture_files import MediaFiles, PictureFile, embedded
from pixel_core.records import Provenance

_TEXTS = frozenset(
    {"id", "question", "answer", "answers", "choices", "subject", "kind", "split"}
)
#: Singular fields whose column may hold a list -> the plural field.
_SEVERAL = {"image": "images", "answer": "answers"}

_MISSING = object()


def picked(row: Mapping[str, Any], fields: Mapping[Any, str]) -> dict[str, Any]:
    """The row's values for ``fields`` (ours -> their column, dotted), with numbers as text
    where our field is text; {}: the columns that are named like our fields."""
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
    """The value of a dotted column; below a list, one value per item."""
    if isinstance(row, list):
        return [at(item, dotted) for item in row]
    if isinstance(row, Mapping) and dotted in row:
        return row[dotted]  # the column's own name has dots
    head, dot, rest = dotted.partition(".")
    if not isinstance(row, Mapping) or head not in row:
        return None if row is None else _MISSING
    return at(row[head], rest) if dot else row[head]


class Absorber:
    """Replaces the pictures' bytes in a row by names."""

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
    """Numbers as text; other types are left for the record's check."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


# A dataset by name, pinned to a commit, or a local copy of it.
#
# Its rows are checked like a manifest's records.


class HubTable:
    """The rows of a dataset in a manifest's fields, and the pictures they name."""

    def __init__(self, copy: Copy, config: HubConfig) -> None:
        self._copy = copy
        self._config = config
        self.hub_rows = HubRows(copy, config)
        self.subject = f"the dataset {config.name or config.local!r}"

    def media(self) -> MediaFiles:
        return MediaFiles(self._copy.root, setting="ingest.hub.local", links=self._copy.links)

    def rows(self, problems: Problems) -> Iterator[ManifestRow]:
        for theirs, ours in self.hub_rows.splits:
            absorbed = self._absorbed(theirs)
            for row in converted(absorbed, self._config.format, problems):
                if row.fields is not None and ours and "split" not in row.fields:
                    row.fields["split"] = ours
                yield row

    def _absorbed(self, theirs: str) -> Iterator[ManifestRow]:
        root = str(self._copy.root.resolve())
        plain = self._config.format == "plain"
        for number, raw in enumerate(self.hub_rows.rows(theirs), 1):
            if number == 1 and plain:
                self._check_columns(raw)
            absorber = Absorber(root)
            fields = absorber.absorb(raw)
            if plain:
                fields = picked(fields, self._config.fields)
            yield ManifestRow(f"{theirs}, row {number}", fields, absorber.pictures)

    def _check_columns(self, row: dict[str, Any]) -> None:
        """Once per table, rather than once per record."""
        missing = sorted(
            name for name in self._config.fields.values() if not has_column(row, name)
        )
        if missing:
            raise DataError(
                f"{self.subject} has no columns {missing}, it has {sorted(row)}; mend "
                "ingest.hub.fields"
            )


class HubSource:
    """See ``source.SeedSource``. Raises ``DataError`` for settings that name no dataset."""

    def __init__(self, config: HubConfig) -> None:
        self._dataset = Dataset(
            config.name, config.revision, config.local, "ingest.hub", config.fetch
        )
        check_dataset(self._dataset)
        self._config = config

    def fingerprint(self) -> dict[str, Any]:
        """A local copy is identified by its content, a hub dataset by its commit: it is
        neither downloaded nor checked before the stage runs."""
        if not self._config.local:
            return {"dataset": self._config.name, "commit": self._config.revision}
        checked = self._seeds.checked()
        return {"rows": checked.rows, "records": checked.records}

    def total(self) -> int:
        return self._seeds.checked().records

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        return self._seeds.seeds(archive)

    def counts(self) -> dict[str, int]:
        return self._seeds.counts()

    @cached_property
    def _seeds(self) -> TableSeeds:
        config = self._config
        copy = copy_of(self._dataset)
        table = HubTable(copy, config)
        return TableSeeds(
            table,
            Rules(
                config.splits,
                config.max_picture_pixels,
                leave_out=config.faulty == "leave_out",
                repeats=has_repeats(config.format),
            ),
            Provenance(
                source=f"hub:{config.name}" if config.name else "hub",
                revision=config.revision,
                licence=config.licence,
            ),
            place=str(copy.root),
            settings=config.model_dump(mode="json"),
            files=table.hub_rows.stamps(),
        )
