"""Stage ``ingest``: picture questions from sources, split into train, validation, test.

Writes ``seeds.jsonl`` (records.Seed) and ``pictures.zip``. The sources are read one after
the other into a spool; then near-duplicate pictures are kept in one split, ids are made
unique, and the seeds are written. Memory grows only by some tens of bytes per seed, and by
the archive's directory.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_core.config import IngestConfig, PipelineConfig
from pixel_core.data.sources.source import TellsMore, open_source
from pixel_core.data.sources.spool import Spool
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Picture, Seed, Split
from pixel_core.workflow.stage import Progress, StageContext

if TYPE_CHECKING:
    from pixel_core.data.sources.near_duplicates import Settled


# Counts of an ingest artifact's seeds.


class IngestCounts:
    """Seeds by source, split and kind; ``-1`` uncounts a seed."""

    def __init__(self) -> None:
        self.seeds = 0
        self._with_cue = self._without_question = self._videos = 0
        self._by_source: Counter[str] = Counter()
        self._by_kind: dict[str, Counter[str]] = {split.value: Counter() for split in Split}

    def add(self, source: str, seed: Seed, count: int = 1) -> None:
        self.seeds += count
        self._with_cue += count * (seed.cue is not None)
        self._without_question += count * (not seed.asks)
        self._videos += count * seed.is_video
        self._by_source[source] += count
        self._by_kind[seed.split.value][seed.kind or "other"] += count

    def of(self, split: Split) -> int:
        return self._by_kind[split.value].total()

    def metrics(self) -> dict[str, Any]:
        return {
            "with_cue": self._with_cue,
            "without_question": self._without_question,
            "videos": self._videos,
            "by_source": _sorted(self._by_source),
            "by_split": {split: kinds.total() for split, kinds in self._by_kind.items()},
            "by_kind": {split: _sorted(kinds) for split, kinds in self._by_kind.items()},
        }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


SEEDS = "seeds.jsonl"
PICTURES = "pictures.zip"

_REPORT_EVERY = 50


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """The identity of the sources' content, apart from settings; checks it fully.

    Raises ``DataError`` with all faults of a source, before any work starts.
    """
    parts = {
        name: open_source(name, config.ingest).fingerprint() for name in config.ingest.sources
    }
    return {name: part for name, part in parts.items() if part}


def run(context: StageContext) -> dict[str, Any]:
    """Write the seeds and their pictures; return counts by source, split, kind and reason.

    Raises ``DataError`` for ids used twice, and when no seed is left.
    """
    from pixel_core.data.sources.near_duplicates import settled

    config, counts = context.config.ingest, IngestCounts()
    with Spool(context.out / "seeds.spool") as spool:
        left_out = _gather(context, config, spool, counts)
        decided = settled(spool, context.out / PICTURES, config, context.progress)
        if decided.left_out:
            left_out["near_duplicate"] = len(decided.left_out)
        _write(context.out / SEEDS, spool, decided, spool.new_ids(), counts)
    if not counts.seeds:
        raise DataError(
            f"the sources {', '.join(config.sources)} have no seed that can be used; left "
            f"out were {left_out or 'none'}"
        )
    _note_empty_splits(counts, context.progress)
    return {
        "seeds": counts.seeds,
        **counts.metrics(),
        "left_out": dict(sorted(left_out.items())),
        "moved_near_duplicates": len(decided.moved),
    }


def _gather(
    context: StageContext, config: IngestConfig, spool: Spool, counts: IngestCounts
) -> dict[str, int]:
    """Spool all sources' seeds and store their pictures; returns omissions by reason."""

    sources = [(name, open_source(name, config)) for name in config.sources]
    total = 0
    for name, source in sources:
        if name != "drawn":
            context.progress.note(f"checking the source {name}")
        total += source.total()
    left_out: dict[str, int] = {}
    with SharedArchive(context.out / PICTURES) as archive:
        for name, source in sources:
            spool.begin(name)
            for found in source.seeds(archive):
                spool.add(found)
                counts.add(name, found.seed)
                if len(spool) % _REPORT_EVERY == 0:
                    context.progress.update(len(spool), max(total, len(spool)))
            for reason, count in source.counts().items():
                left_out[f"{name}_{reason}"] = count
            for told in source.notes() if isinstance(source, TellsMore) else ():
                context.progress.note(told)
    context.progress.update(len(spool), max(len(spool), 1))
    return left_out


def _write(
    path: Path, spool: Spool, decided: Settled, renamed: dict[int, str], counts: IngestCounts
) -> None:
    """Write the spooled seeds, modified where that was decided; most are copied."""
    with path.open("w", encoding="utf-8") as out:
        for key, line in enumerate(spool.lines()):
            gone = key in decided.left_out
            changes: dict[str, Any] = {}
            if key in decided.moved:
                changes["split"] = decided.moved[key]
            if key in renamed:
                changes["id"] = renamed[key]
            if not gone and not changes:
                out.write(line)
                continue
            seed, source = Seed.model_validate_json(line), spool.source(key)
            counts.add(source, seed, -1)
            if not gone:
                seed = seed.model_copy(update=changes)
                counts.add(source, seed)
                out.write(seed.model_dump_json() + "\n")


def _note_empty_splits(counts: IngestCounts, progress: Progress) -> None:
    needs = {
        Split.TRAIN: "synthesis and training have nothing to work on",
        Split.VALIDATION: "settings that choose by validation can't be used",
        Split.TEST: "models can't be evaluated on it",
    }
    for split, loss in needs.items():
        if not counts.of(split):
            progress.note(f"no seed is in {split}: {loss}")


# One picture archive for several sources.


class SharedArchive(PictureArchiveWriter):
    """Accepts a picture that another source has already stored under the same name."""

    def add(self, member: str, data: bytes, width: int, height: int) -> Picture:
        """As in the base class; but a name is taken only for other content."""
        if member not in self or not self._holds(member, data):
            return super().add(member, data, width, height)
        digest = hashlib.sha256(data).hexdigest()
        return Picture(member=member, width=width, height=height, sha256=digest)

    def _holds(self, member: str, data: bytes) -> bool:
        assert self._zip is not None
        info = self._zip.NameToInfo[member]
        return info.file_size == len(data) and zlib.crc32(data) == info.CRC
