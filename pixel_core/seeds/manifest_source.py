"""A user's own questions: a manifest file beside a folder of pictures.

Every record and every picture is checked before anything is built on them, and all faults
are told in one error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixel_core.config import ManifestConfig
from pixel_core.errors import DataError
from pixel_core.records import Box, Cue, Picture, Provenance, Seed, Split
from pixel_core.seeds.manifest_pictures import (
    Fault,
    PictureFacts,
    digest_of,
    inspect_all,
    locate,
)
from pixel_core.seeds.manifest_record import (
    ManifestRecord,
    cue_box,
    final_answers,
    parse_record,
)
from pixel_core.seeds.manifest_rows import read_rows
from pixel_core.seeds.problems import Problems
from pixel_core.seeds.splits import Placed, assign
from pixel_core.vision.archive import PictureArchiveWriter

SOURCE = "manifest"


@dataclass(frozen=True)
class Entry:
    """A checked record: where it was written, its pictures, its cue, its id and split."""

    place: str
    record: ManifestRecord
    pictures: tuple[PictureFacts, ...]
    cue: Box | None
    id: str
    split: Split


@dataclass(frozen=True)
class Manifest:
    """A manifest in which nothing is wrong."""

    sha256: str
    entries: tuple[Entry, ...]

    def fingerprint(self) -> dict[str, str | int]:
        """What the content is, wherever it lies: for the ingest artifact's key."""
        used = [facts for entry in self.entries for facts in entry.pictures]
        return {
            "manifest": self.sha256,
            "pictures": digest_of(used),
            "records": len(self.entries),
        }


def read_manifest(config: ManifestConfig) -> Manifest:
    """Read and check a manifest and all its pictures (each is hashed and decoded).

    Raises ``DataError`` with every fault found: file, line, field, value, remedy.
    """
    if not config.path:
        raise DataError(
            "ingest.manifest.path is empty; set it to your .jsonl or .parquet manifest"
        )
    path = Path(config.path)
    problems = Problems(f"the manifest {config.path!r}")
    rows = list(read_rows(path, problems))
    records = [
        (place, record)
        for place, fields in rows
        if (record := parse_record(place, fields, problems)) is not None
    ]
    if not rows and not problems.count:
        raise DataError(f"the manifest {config.path!r} has no records; write one a line")
    root = Path(config.pictures) if config.pictures else path.parent
    if not root.is_dir():
        raise DataError(
            f"there is no pictures folder {str(root)!r}; set ingest.manifest.pictures"
        )
    drafts = _with_pictures(records, root, config.max_picture_pixels, problems)
    ids = _ids(drafts, problems)
    splits = _splits(drafts, ids, config, problems)
    problems.raise_if_any()
    entries = tuple(
        Entry(draft.place, draft.record, draft.pictures, draft.cue, id, split)
        for draft, id, split in zip(drafts, ids, splits, strict=True)
    )
    return Manifest(hashlib.sha256(path.read_bytes()).hexdigest(), entries)


def seeds(manifest: Manifest, archive: PictureArchiveWriter) -> Iterator[Seed]:
    """Yield a seed for each record, in the manifest's order, storing its pictures.

    Raises ``DataError`` when a picture changed since it was checked.
    """
    stored: dict[str, Picture] = {}
    for entry in manifest.entries:
        for facts in entry.pictures:
            if facts.member not in stored:
                stored[facts.member] = _store(facts, archive)
        record = entry.record
        yield Seed(
            id=entry.id,
            split=entry.split,
            question=record.question.strip(),
            answers=final_answers(record),
            choices=tuple(choice.strip() for choice in record.choices or ()),
            pictures=tuple(stored[facts.member] for facts in entry.pictures),
            cue=None if entry.cue is None else Cue(box=entry.cue),
            subject=(record.subject or "").strip(),
            kind=(record.kind or "").strip(),
            provenance=Provenance(source=SOURCE, digest=digest_of(entry.pictures)),
        )


@dataclass(frozen=True)
class _Draft:
    """A record on its way to being an ``Entry``."""

    place: str
    record: ManifestRecord
    pictures: tuple[PictureFacts, ...]
    cue: Box | None


def _with_pictures(
    records: list[tuple[str, ManifestRecord]], root: Path, max_pixels: int, problems: Problems
) -> list[_Draft]:
    """Look every picture up; records with a faulty one are noted and left out."""
    located: list[tuple[str, ManifestRecord, list[Path]]] = []
    uses: dict[Path, tuple[str, str]] = {}
    for place, record in records:
        paths = []
        for written in record.picture_paths():
            try:
                path = locate(root, written)
            except Fault as fault:
                problems.add(place, "image", written, fault.fault, fault.remedy)
                continue
            uses.setdefault(path, (place, written))
            paths.append(path)
        located.append((place, record, paths))
    facts = inspect_all(uses, max_pixels, problems)
    drafts = []
    for place, record, paths in located:
        pictures = tuple(facts[path] for path in paths if path in facts)
        if len(pictures) < len(record.picture_paths()):
            continue
        size = (pictures[0].width, pictures[0].height)
        drafts.append(_Draft(place, record, pictures, cue_box(place, record, size, problems)))
    return drafts


def _ids(drafts: list[_Draft], problems: Problems) -> list[str]:
    """Each record's id, given or derived from what it asks; doubles are noted."""
    ids = [draft.record.id or _derived_id(draft) for draft in drafts]
    places: dict[str, str] = {}
    for draft, id in zip(drafts, ids, strict=True):
        first = places.setdefault(id, draft.place)
        if first != draft.place:
            kind = "was used" if draft.record.id else "(derived: the same record) was used"
            problems.add(
                draft.place, "id", id, f"{kind} at {first}", "give each record its own id"
            )
    return ids


def _derived_id(draft: _Draft) -> str:
    record = draft.record
    content = [
        [facts.sha256 for facts in draft.pictures],
        record.question.strip(),
        final_answers(record),
        record.choices or [],
        record.all_boxes(),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _splits(
    drafts: list[_Draft], ids: list[str], config: ManifestConfig, problems: Problems
) -> list[Split]:
    """Each record's split; a picture in two splits and an empty split are noted."""
    placed = [
        Placed(id, tuple(facts.sha256 for facts in draft.pictures), draft.record.split)
        for draft, id in zip(drafts, ids, strict=True)
    ]
    splits, conflicts = assign(placed, config.splits)
    for conflict in conflicts:
        first, second = drafts[conflict.first], drafts[conflict.second]
        problems.add(
            second.place,
            "split",
            second.record.split,
            f"is not {first.record.split!r} as at {first.place}, which shares a picture with "
            "it (by content, perhaps through other records)",
            "put records that share a picture into one split",
        )
    if problems.count:  # the records left out may be the missing ones
        return splits
    for split in Split:
        if split not in splits:
            problems.add(
                Path(config.path).name,
                "split",
                split.value,
                f"has no record among {len(drafts)}",
                f'give some records "split": "{split.value}", or raise ingest.manifest.splits',
            )
    return splits


def _store(facts: PictureFacts, archive: PictureArchiveWriter) -> Picture:
    data = facts.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise DataError(f"the picture {str(facts.path)!r} changed while it was being used")
    return archive.add(facts.member, data, facts.width, facts.height)
