"""A user's own questions: a manifest file beside a folder of pictures.

Every record and every picture is checked before anything is built on them, and all faults
are told in one error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.config import ManifestConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.entries import Rules
from pixel_core.data.sources.manifest.rows import ManifestRow, check_file, read_rows
from pixel_core.data.sources.manifest.source import TableSeeds
from pixel_core.data.sources.original import converted, has_repeats
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.picture_files import MediaFiles, stamp_of
from pixel_core.records import Provenance, Split

SOURCE = "manifest"


class ManifestTable:
    """The rows of a manifest file, and the folder of its pictures."""

    def __init__(self, config: ManifestConfig) -> None:
        self._config = config
        self.path = Path(config.path)
        self.subject = f"the manifest {config.path!r}"

    def media(self) -> MediaFiles:
        root = Path(self._config.pictures) if self._config.pictures else self.path.parent
        return MediaFiles(root, setting="ingest.manifest.pictures")

    def rows(self, problems: Problems) -> Iterator[ManifestRow]:
        return converted(read_rows(self.path, problems), self._config.format, problems)


class ManifestSource:
    """See ``source.Source``. Raises ``DataError`` when the file is missing, empty or of an
    unknown kind."""

    def __init__(self, config: ManifestConfig) -> None:
        if not config.path:
            raise DataError(
                "ingest.manifest.path is empty; set it to your .jsonl or .parquet manifest"
            )
        table = ManifestTable(config)
        check_file(table.path)
        self._path = table.path
        self._seeds = TableSeeds(
            table,
            Rules(
                config.splits,
                config.max_picture_pixels,
                Split(config.split) if config.split else None,
                repeats=has_repeats(config.format),
            ),
            Provenance(source=SOURCE, revision=config.revision, licence=config.licence),
            place=config.path,
            settings={"format": config.format, "pictures": config.pictures},
            files=[(str(table.path), stamp_of(table.path))],
        )

    def fingerprint(self) -> dict[str, Any]:
        """What the content is, wherever it lies. Raises ``DataError`` with all faults."""
        checked = self._seeds.checked()
        with self._path.open("rb") as file:
            manifest = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "manifest": manifest,
            "pictures": checked.pictures,
            "records": checked.records,
        }

    def total(self) -> int:
        return self._seeds.checked().records

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        return self._seeds.seeds(archive)

    def counts(self) -> dict[str, int]:
        return self._seeds.counts()
