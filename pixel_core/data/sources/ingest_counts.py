"""What the seeds of an ingest artifact are, counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pixel_core.records import Seed, Split


class IngestCounts:
    """Seeds by source, split and kind; ``-1`` takes one back that was counted."""

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
