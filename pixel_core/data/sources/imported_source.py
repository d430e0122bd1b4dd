"""Questions of a folder that ``pixel import`` wrote; ``synthesize`` uses the trajectories
beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.config import ImportedConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError, MediaError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.budget import check_shape
from pixel_core.nesting import loads
from pixel_core.records import Picture, Seed, read_jsonl

_SEEDS, _IMPORT = "seeds.jsonl", "import.json"
_REMEDY = "set ingest.imported.path to a folder that pixel import has completed"


class ImportedSource:
    """Its splits are fixed: a seed with a trajectory is a train seed."""

    def __init__(self, config: ImportedConfig) -> None:
        if not config.path:
            raise DataError(f"ingest.imported.path is empty; {_REMEDY}")
        self._folder = Path(config.path)
        self._seeds = self._folder / _SEEDS
        if not self._seeds.is_file():
            raise DataError(f"there is no {self._seeds}; {_REMEDY}")

    def fingerprint(self) -> dict[str, Any]:
        """The digest of the records, which contain their pictures' digests."""
        with self._seeds.open("rb") as data:
            return {"seeds": hashlib.file_digest(data, "sha256").hexdigest()}

    def total(self) -> int:
        with self._seeds.open("rb") as lines:
            return sum(1 for _ in lines)

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Raises ``DataError`` for a missing or changed picture, and with all pictures that no
        model is shown (current imports leave those out)."""
        self._check_shapes()
        for seed in read_jsonl(self._seeds, Seed):
            for picture in seed.pictures:
                if picture.member not in archive:
                    archive.add(
                        picture.member, self._read(picture), picture.width, picture.height
                    )
            yield FoundSeed(seed, fixed=True)

    def counts(self) -> dict[str, int]:
        """The records that ``pixel import`` left out, by its reasons."""
        try:
            found = loads((self._folder / _IMPORT).read_bytes())
            rejected = found["counts"]["rejected"]
            return {str(reason): int(count) for reason, count in rejected.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}  # a folder from elsewhere has no counts

    def _check_shapes(self) -> None:
        problems = Problems(f"the import {str(self._folder)!r}")
        for number, seed in enumerate(read_jsonl(self._seeds, Seed), 1):
            for picture in seed.pictures:
                try:
                    check_shape(picture.width, picture.height)
                except MediaError as error:
                    place = f"{_SEEDS}, line {number}"
                    problems.add(
                        place, "pictures", picture.member, f"({error})", "import again"
                    )
        problems.raise_if_any()

    def _read(self, picture: Picture) -> bytes:
        path = (self._folder / picture.member).resolve()
        if not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            raise DataError(f"{path} is no picture in {self._folder}; import again")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            raise DataError(f"{path} was changed after it was imported; import again")
        return data
