"""Stage ``ingest``: picture questions from sources, split into train, validation, test.

Writes ``seeds.jsonl`` (records.Seed) and ``pictures.zip``. The sources are read one after
the other into a spool; then near-duplicate pictures are kept in one split, ids are made
unique, and the seeds are written. Memory does not grow with them but by some tens of bytes
a seed, and by the archive's directory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pixel_core.config import IngestConfig, PipelineConfig
from pixel_core.errors import DataError
from pixel_core.records import Seed, Split, write_jsonl
from pixel_core.seeds.ingest_archive import SharedArchive
from pixel_core.seeds.ingest_spool import Spool
from pixel_core.seeds.near_duplicates import Settled
from pixel_core.seeds.source import open_source
from pixel_core.stage import Progress, StageContext

SEEDS = "seeds.jsonl"
PICTURES = "pictures.zip"

_REPORT_EVERY = 50


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """What the sources' content is, apart from their settings; checks it fully.

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
    from pixel_core.seeds.ingest_likeness import settled

    config = context.config.ingest
    with Spool(context.out / "seeds.spool") as spool:
        left_out = _gather(context, config, spool)
        decided = settled(spool, context.out / PICTURES, config, context.progress)
        if decided.left_out:
            left_out["near_duplicate"] = len(decided.left_out)
        counts = _Counts()
        seeds = _finished(spool, decided, spool.new_ids(), counts)
        written = write_jsonl(context.out / SEEDS, seeds)
    if not written:
        raise DataError(
            f"the sources {', '.join(config.sources)} have no seed that can be used; left "
            f"out were {left_out or 'none'}"
        )
    _note_empty_splits(counts, context.progress)
    return {
        "seeds": written,
        **counts.metrics(),
        "left_out": dict(sorted(left_out.items())),
        "moved_near_duplicates": len(decided.moved),
    }


def _gather(context: StageContext, config: IngestConfig, spool: Spool) -> dict[str, int]:
    """Spool all sources' seeds and store their pictures; what they left out, by reason."""
    sources = [(name, open_source(name, config)) for name in config.sources]
    total = sum(source.total() for _, source in sources)
    left_out: dict[str, int] = {}
    with SharedArchive(context.out / PICTURES) as archive:
        for name, source in sources:
            spool.begin(name)
            for found in source.seeds(archive):
                spool.add(found)
                if len(spool) % _REPORT_EVERY == 0:
                    context.progress.update(len(spool), max(total, len(spool)))
            for reason, count in source.counts().items():
                left_out[f"{name}_{reason}"] = count
    context.progress.update(len(spool), max(len(spool), 1))
    return left_out


def _finished(
    spool: Spool, decided: Settled, renamed: dict[int, str], counts: _Counts
) -> Iterator[Seed]:
    for key, seed in enumerate(spool.seeds()):
        if key in decided.left_out:
            continue
        changes: dict[str, Any] = {}
        if key in decided.moved:
            changes["split"] = decided.moved[key]
        if key in renamed:
            changes["id"] = renamed[key]
        final = seed.model_copy(update=changes) if changes else seed
        counts.add(spool.source(key), final)
        yield final


class _Counts:
    """Of the seeds that were written."""

    def __init__(self) -> None:
        self._with_cue = self._without_question = self._videos = 0
        self._by_source: Counter[str] = Counter()
        self._by_kind: dict[str, Counter[str]] = {split.value: Counter() for split in Split}

    def add(self, source: str, seed: Seed) -> None:
        self._with_cue += seed.cue is not None
        self._without_question += not seed.asks
        self._videos += seed.is_video
        self._by_source[source] += 1
        self._by_kind[seed.split.value][seed.kind or "other"] += 1

    def of(self, split: Split) -> int:
        return self._by_kind[split.value].total()

    def metrics(self) -> dict[str, Any]:
        return {
            "with_cue": self._with_cue,
            "without_question": self._without_question,
            "videos": self._videos,
            "by_source": dict(sorted(self._by_source.items())),
            "by_split": {split: kinds.total() for split, kinds in self._by_kind.items()},
            "by_kind": {
                split: dict(sorted(kinds.items())) for split, kinds in self._by_kind.items()
            },
        }


def _note_empty_splits(counts: _Counts, progress: Progress) -> None:
    needs = {
        Split.TRAIN: "synthesis and training have nothing to work on",
        Split.VALIDATION: "settings that choose by validation can't be used",
        Split.TEST: "models can't be evaluated on it",
    }
    for split, loss in needs.items():
        if not counts.of(split):
            progress.note(f"no seed is in {split}: {loss}")
