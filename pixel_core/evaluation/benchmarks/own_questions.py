"""The benchmark ``drawn``: the test split of the run's own questions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pixel_core.config import BenchmarkDataConfig
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.facts import Origin
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Picture, Seed, Split, read_jsonl
from pixel_core.workflow.stage import Progress


class OwnQuestions:
    """The ingest artifact's test questions, their pictures copied."""

    def __init__(self, ingest: Path, settings: BenchmarkDataConfig) -> None:
        self._seeds = ingest / "seeds.jsonl"
        self._pictures = PictureArchive(ingest / "pictures.zip")
        self._limit = settings.limit or None

    def seeds(self, archive: PictureArchiveWriter, progress: Progress) -> Iterator[Seed]:
        """Raises ``DataError`` when there are none."""
        total = sum(1 for _ in self._asked())
        if not total:
            raise DataError(
                "the stage ingest has no test questions to make the benchmark drawn of: raise "
                "the test count or share of a source in ingest.sources, or leave drawn out of "
                "benchmarks.names"
            )
        try:
            for done, seed in enumerate(self._asked(), 1):
                for picture in seed.pictures:
                    self._copy(picture, archive)
                yield seed
                progress.update(done, total)
        finally:
            self._pictures.close()

    def origin(self) -> Origin:
        return Origin()

    def _asked(self) -> Iterator[Seed]:
        seeds = read_jsonl(self._seeds, Seed)
        test = (seed for seed in seeds if seed.split is Split.TEST and seed.asks)
        return islice(test, self._limit)

    def _copy(self, picture: Picture, archive: PictureArchiveWriter) -> None:
        if picture.member not in archive:
            data = self._pictures.read(picture)
            archive.add(picture.member, data, picture.width, picture.height)
