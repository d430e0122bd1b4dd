"""Streams records with their pictures looked up; holds one batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.record import (
    ManifestRecord,
    cue_box,
    final_answers,
    frame_cue,
    parse_record,
)
from pixel_core.data.sources.manifest.rows import ManifestRow
from pixel_core.media.picture_facts import PictureFacts, Pictures
from pixel_core.media.picture_files import MediaFiles, PictureFile
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Box, FrameCue, Split

#: Records whose pictures are looked up together.
_BATCH = 256

T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """How records are accepted."""

    shares: SplitShares
    max_picture_pixels: int
    #: For records that name none; None: by their ids.
    split: Split | None = None
    #: Count unusable records and continue without them; otherwise they are reported.
    leave_out: bool = False
    #: Omit and count repetitions of an earlier record (in a dataset with several trajectories
    #: per question); otherwise a repetition is a fault.
    repeats: bool = False


class RecordTable(Protocol):
    """Records in a fixed order, and the location of their pictures."""

    @property
    def subject(self) -> str:
        """The subject of an error: "the manifest 'm.jsonl'"."""

    def media(self) -> MediaFiles: ...

    def rows(self, problems: Problems) -> Iterator[ManifestRow]: ...


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A valid record."""

    place: str
    record: ManifestRecord
    #: Its own, or one derived from its question.
    id: str
    pictures: tuple[tuple[PictureFile, PictureFacts], ...]
    cue: Box | FrameCue | None
    #: SHA-256 of the record as found, pictures included.
    digest: str


def entries(
    table: RecordTable,
    rules: Rules,
    problems: Problems,
    used: Callable[[PictureFile], None] = lambda file: None,
) -> Iterator[ManifestEntry | None]:
    """Yield one item per row of the table; None after its faults were noted.

    ``used`` is called with every picture found. Raises ``DataError`` for a table that can't
    be read at all.
    """
    media = table.media()
    try:
        with Pictures(rules.max_picture_pixels) as pictures:
            for rows in _batches(table.rows(problems), _BATCH):
                yield from _looked_up(rows, media, pictures, problems, used)
    finally:
        media.close()


def _looked_up(
    rows: list[ManifestRow],
    media: MediaFiles,
    pictures: Pictures,
    problems: Problems,
    used: Callable[[PictureFile], None],
) -> Iterator[ManifestEntry | None]:
    found: dict[str, PictureFile | PictureFault] = {}

    def find(row: ManifestRow, written: str) -> PictureFile | PictureFault:
        if written in row.embedded:
            return row.embedded[written]
        if written not in found:
            try:
                found[written] = media.find(written)
            except PictureFault as fault:
                found[written] = fault
        return found[written]

    drafts: list[
        tuple[ManifestRow, ManifestRecord, list[tuple[str, PictureFile | PictureFault]]] | None
    ] = []
    for row in rows:
        fields = row.fields
        record = None if fields is None else parse_record(row.place, fields, problems)
        paths = record.picture_paths() if record is not None else ()
        files = [(written, find(row, written)) for written in paths]
        drafts.append(None if record is None else (row, record, files))
    whole = [
        file
        for draft in drafts
        if draft is not None
        for _, file in draft[2]
        if isinstance(file, PictureFile)
    ]
    facts = pictures.facts(whole)
    for file in found.values():
        if isinstance(file, PictureFile):
            used(file)
    for draft in drafts:
        yield None if draft is None else _entry(*draft, facts, problems)


def _entry(
    row: ManifestRow,
    record: ManifestRecord,
    files: list[tuple[str, PictureFile | PictureFault]],
    facts: dict[tuple[str, str, str], PictureFacts | PictureFault],
    problems: Problems,
) -> ManifestEntry | None:
    before = problems.count
    pictures: list[tuple[PictureFile, PictureFacts]] = []
    for written, file in files:
        fact = file if isinstance(file, PictureFault) else facts[file.key]
        if isinstance(file, PictureFile) and isinstance(fact, PictureFacts):
            pictures.append((file, fact))
        elif isinstance(fact, PictureFault):
            problems.add(row.place, "image", written, fact.fault, fact.remedy)
    if problems.count > before:
        return None
    first = pictures[0][1]
    size = (first.width, first.height)
    cue = frame_cue(record) or cue_box(row.place, record, size, problems)
    if problems.count > before:
        return None
    digests = [fact.sha256 for _, fact in pictures]
    return ManifestEntry(
        row.place,
        record,
        record.id or _derived_id(record, digests),
        tuple(pictures),
        cue,
        _sha256([row.fields, digests]),
    )


def _derived_id(record: ManifestRecord, digests: list[str]) -> str:
    content: list[object] = [
        digests,
        record.question.strip(),
        final_answers(record),
        record.choices or [],
        record.all_boxes(),
    ]
    if record.is_video:
        content.append(record.frames or [])
    return _sha256(content)[:16]


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
