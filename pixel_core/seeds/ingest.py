"""Stage ``ingest``: picture questions from a source, split into train, validation, test.

Writes ``seeds.jsonl`` (records.Seed) and ``pictures.zip``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.drawn.scene import World
from pixel_core.records import Seed, Split, write_jsonl
from pixel_core.seeds import drawn_source, manifest_source
from pixel_core.stage import Progress, StageContext
from pixel_core.vision.archive import PictureArchiveWriter

SEEDS = "seeds.jsonl"
PICTURES = "pictures.zip"

_REPORT_EVERY = 50


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """What the source's content is, apart from its settings; checks it fully.

    Raises ``DataError`` with all faults of a manifest, before any work starts.
    """
    if "drawn" in config.ingest.sources:
        World(config.ingest.drawn.world)  # refuses a world that can't be drawn
        return {}
    return manifest_source.read_manifest(config.ingest.manifest).fingerprint()


def run(context: StageContext) -> dict[str, Any]:
    """Write the seeds and their pictures; return counts by split and kind."""
    config = context.config.ingest
    by_kind: dict[str, Counter[str]] = {split.value: Counter() for split in Split}
    with_cue = 0

    def counted(seeds: Iterator[Seed], total: int, progress: Progress) -> Iterator[Seed]:
        nonlocal with_cue
        for done, seed in enumerate(seeds, 1):
            by_kind[seed.split.value][seed.kind or "other"] += 1
            with_cue += seed.cue is not None
            yield seed
            if done % _REPORT_EVERY == 0 or done == total:
                progress.update(done, total)

    with PictureArchiveWriter(context.out / PICTURES) as archive:
        if "drawn" in config.sources:
            total = sum(drawn_source.counts(config.drawn).values())
            seeds = drawn_source.seeds(config.drawn, archive)
        else:
            manifest = manifest_source.read_manifest(config.manifest)
            total = len(manifest.entries)
            seeds = manifest_source.seeds(manifest, archive)
        count = write_jsonl(context.out / SEEDS, counted(seeds, total, context.progress))
    return {
        "seeds": count,
        "with_cue": with_cue,
        "by_split": {split: kinds.total() for split, kinds in by_kind.items()},
        "by_kind": {split: dict(sorted(kinds.items())) for split, kinds in by_kind.items()},
    }
