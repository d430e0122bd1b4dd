"""Finds and checks a published benchmark's questions, and converts them to seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.hub_files import Dataset, check_dataset, copy_of
from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.benchmarks.checking import BenchmarkCheck, SoundItem, checked
from pixel_core.evaluation.benchmarks.facts import Origin
from pixel_core.evaluation.benchmarks.reading import Reader, open_reader
from pixel_core.evaluation.benchmarks.registry import Benchmark, Layout, layout_of
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.loading import MAX_PIXELS
from pixel_core.media.picture_facts import PictureFacts, Pictures, store
from pixel_core.media.picture_files import PictureFile
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Picture, Provenance, Seed, Split
from pixel_core.workflow.stage import Progress

#: Questions whose pictures are checked together, on all cores.
_BATCH = 16


@dataclass(frozen=True)
class BenchmarkFiles:
    """The files that a benchmark's settings select."""

    benchmark: Benchmark
    layout: Layout
    dataset: Dataset

    @classmethod
    def of(cls, benchmark: Benchmark, settings: BenchmarkDataConfig) -> BenchmarkFiles:
        """Raises ``ConfigError`` or ``DataError`` if the settings select no definite files."""
        layout = layout_of(benchmark, settings.layout)
        setting = f"benchmarks.{benchmark.name}"
        name = settings.name or layout.dataset
        published = name == layout.dataset
        revision = settings.revision or (layout.revision if published else "")
        if not (name or settings.local):
            raise DataError(
                f"{benchmark.title} is on no hub in this layout: set {setting}.local to a "
                f"folder with {layout.copy}"
            )
        dataset = Dataset(
            name, revision, settings.local, setting, layout.files if published else ()
        )
        check_dataset(dataset)
        if layout.turns > 1 and settings.shuffle_seed is not None:
            raise ConfigError(
                f"{setting}.shuffle_seed {settings.shuffle_seed} would undo what its authors "
                f"did: {benchmark.title} asks each question {layout.turns} times, with the "
                "right option in each place once; leave it out"
            )
        return cls(benchmark, layout, dataset)

    @property
    def place(self) -> str:
        """Where the files come from, in words."""
        if self.dataset.local:
            return f"the copy in {self.dataset.local}"
        return f"{self.dataset.name} at {self.dataset.revision[:7]}, fetching what is not here"


def opened(
    source: BenchmarkFiles, settings: BenchmarkDataConfig
) -> tuple[Reader, BenchmarkCheck, str]:
    """The opened reader, the check (all but the pictures' pixels), and the files' digest.
    Fetches missing files."""
    reader = open_reader(copy_of(source.dataset), source.layout, settings)
    try:
        check = BenchmarkCheck(source.benchmark.name, source.layout, settings)
        return reader, check, checked(check, reader)
    finally:
        reader.media.close()


class BenchmarkQuestions:
    """Reads the questions again, now with their pictures, and stores the pictures."""

    def __init__(self, source: BenchmarkFiles, settings: BenchmarkDataConfig) -> None:
        self.source = source
        self._settings = settings
        self._threads = ThreadPoolExecutor(min(_BATCH, os.cpu_count() or 1))

    def seeds(self, archive: PictureArchiveWriter, progress: Progress) -> Iterator[Seed]:
        """One seed a question, with the options in their published order.

        Raises ``DataError`` listing all unusable pictures, unless ``incomplete``.
        """
        progress.note(f"checking {self.source.place}")
        reader, self.check, self.content = opened(self.source, self._settings)
        total = self.check.taken.total()
        again = BenchmarkCheck(self.source.benchmark.name, self.source.layout, self._settings)
        done = 0
        try:
            with Pictures(MAX_PIXELS) as pictures, self._threads:
                sound = again.sound(reader)
                while batch := list(islice(sound, _BATCH)):
                    yield from self._stored(reader, batch, pictures, archive)
                    done += len(batch)
                    progress.update(done, max(total, done))
        finally:
            reader.media.close()
        if done != total:
            raise DataError(f"{again.subject} changed while it was read; run again")
        self.check.settle()
        for line in self.check.problems.lines():
            progress.note(f"left out: {line.strip()}")

    def origin(self) -> Origin:
        """After ``seeds``."""
        layout, dataset, local = self.source.layout, self.source.dataset, self._settings.local
        return Origin(
            layout=self._settings.layout,
            dataset="" if local else dataset.name,
            revision="" if local else dataset.revision,
            content=self.content,
            licence=layout.licence,
            published_kinds=layout.kinds or None,
            published=layout.total or None,
            rows=dict(self.check.rows),
            missing=tuple(self.check.missing()),
            faults=dict(self.check.problems.by_field),
        )

    def _stored(
        self,
        reader: Reader,
        batch: list[SoundItem],
        pictures: Pictures,
        archive: PictureArchiveWriter,
    ) -> Iterator[Seed]:
        look = partial(_pictures, reader)
        opened = list(self._threads.map(look, batch) if reader.parallel else map(look, batch))
        named = [files for files in opened if not isinstance(files, PictureFault)]
        facts = pictures.facts(file for files in named for file in files)
        for found, files in zip(batch, opened, strict=True):
            kept: list[Picture] = []
            if isinstance(files, PictureFault):
                self._fault(found, files)
                files = []
            for file in files:
                known = facts[file.key]
                if isinstance(known, PictureFacts):
                    kept.append(store(file, known, archive))
                else:
                    self._fault(found, known)
            if files and len(kept) == len(files):
                yield self._seed(found, tuple(kept))
            else:
                self.check.taken[found.item.kind] -= 1

    def _fault(self, found: SoundItem, fault: PictureFault) -> None:
        item, value = found.item, ", ".join(found.item.paths) or found.item.id
        self.check.problems.add(item.place, "picture", value, fault.fault, fault.remedy)

    def _seed(self, found: SoundItem, pictures: tuple[Picture, ...]) -> Seed:
        item, layout = found.item, self.source.layout
        return Seed(
            id=item.id,
            split=Split.TEST,
            question=item.question,
            answers=item.accepted,
            choices=item.choices,
            pictures=pictures,
            is_video=item.is_video,
            kind=item.kind,
            provenance=Provenance(
                source=f"benchmark:{self.source.benchmark.name}",
                revision="" if self._settings.local else self.source.dataset.revision,
                licence=layout.licence,
            ),
        )


def _pictures(reader: Reader, found: SoundItem) -> list[PictureFile] | PictureFault:
    try:
        files = list(reader.pictures(found.item, found.files))
    except PictureFault as fault:
        return fault
    return files or PictureFault("has no picture", "restore the row")
