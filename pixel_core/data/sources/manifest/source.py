"""Seeds from a checked table of records: what the sources ``manifest`` and ``hub`` share."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.config import ManifestConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.check import LEFT_OUT, Checked, RestsOn, check, remembered
from pixel_core.data.sources.manifest.entries import ManifestEntry, RecordTable, Rules, entries
from pixel_core.data.sources.manifest.record import final_answers
from pixel_core.data.sources.manifest.rows import ManifestRow, check_file, read_rows
from pixel_core.data.sources.original import converted, has_repeats
from pixel_core.data.sources.source import FoundSeed
from pixel_core.data.sources.splits import SPLITS
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.picture_facts import store
from pixel_core.media.picture_files import MediaFiles, PictureFile, stamp_of
from pixel_core.records import Cue, FrameCue, Provenance, Seed, Split


class TableSeeds:
    """A table's seeds, read twice: once to check everything, once to write.

    ``place`` is the table's path; ``settings`` (JSON values) and ``files``, with their
    stamps, are what its rows depend on.
    """

    def __init__(
        self,
        table: RecordTable,
        rules: Rules,
        provenance: Provenance,
        *,
        place: str,
        settings: dict[str, Any],
        files: list[tuple[str, str]],
    ) -> None:
        self.table = table
        self.rules = rules
        self._provenance = provenance
        self._place = place
        self._settings = settings
        self._files = files
        self._checked: Checked | None = None

    def checked(self) -> Checked:
        """The check's result. Raises ``DataError`` with every fault found."""
        if self._checked is None:
            media = self.table.media()
            watched = [*self._files, *media.watched()]
            media.close()
            parts = [self._settings, repr(self.rules), [path for path, _ in watched]]

            def compute(rests_on: RestsOn) -> Checked:
                def used(file: PictureFile) -> None:
                    for path, stamp in file.watched:
                        rests_on(path, stamp)

                for path, stamp in watched:
                    rests_on(path, stamp)
                return check(self.table, self.rules, used)

            self._checked = remembered(self._place, json.dumps(parts), compute)
        return self._checked

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Yield a seed for each record that is not omitted, in the table's order.

        Raises ``DataError`` if something changed since the check.
        """
        fates = self.checked().fates
        problems = Problems(self.table.subject)
        row = -1
        for row, entry in enumerate(entries(self.table, self.rules, problems)):
            fate = fates[row] if row < len(fates) else LEFT_OUT
            if fate == LEFT_OUT and row < len(fates):
                continue
            if entry is None or fate == LEFT_OUT:
                raise self._changed(problems)
            yield self._found(entry, fate, archive)
        if row + 1 != len(fates):
            raise self._changed(problems)

    def counts(self) -> dict[str, int]:
        return dict(Counter(self.checked().left_out))

    def _found(
        self, entry: ManifestEntry, fate: int, archive: PictureArchiveWriter
    ) -> FoundSeed:
        record = entry.record
        box_or_frames = entry.cue
        cue = (
            box_or_frames
            if box_or_frames is None or isinstance(box_or_frames, FrameCue)
            else Cue(box=box_or_frames)
        )
        seed = Seed(
            id=entry.id,
            split=SPLITS[fate],
            question=record.question.strip(),
            answers=final_answers(record),
            choices=tuple(choice.strip() for choice in record.choices or ()),
            pictures=tuple(store(file, facts, archive) for file, facts in entry.pictures),
            is_video=bool(record.is_video),
            cue=cue,
            subject=(record.subject or "").strip(),
            kind=(record.kind or "").strip(),
            provenance=self._provenance.model_copy(update={"digest": entry.digest}),
        )
        return FoundSeed(seed, (record.split or self.rules.split) is not None)

    def _changed(self, problems: Problems) -> DataError:
        problems.raise_if_any()
        return DataError(f"{self.table.subject} changed while it was being read; run again")


# A user's own questions: a manifest file beside a folder of pictures.
#
# Every record and every picture is checked first, and all faults are reported in one error.


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
    """See ``source.SeedSource``. Raises ``DataError`` if the file is missing, empty or of an
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
        """Identifies the content, wherever it is. Raises ``DataError`` with all faults."""
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
