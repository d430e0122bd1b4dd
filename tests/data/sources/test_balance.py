"""A guess that is always the same must not look like reading."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pixel_core.config import DrawnConfig
from pixel_core.data.sources.drawn import seeds
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Split


def test_asked_digits_are_evenly_spread_in_every_split(tmp_path: Path) -> None:
    config = DrawnConfig(train=150, validation=60, test=200)
    with PictureArchiveWriter(tmp_path / "pictures.zip") as archive:
        found = list(seeds(config, archive))
    for split in Split:
        for kind in ("digit_small", "digit_big"):
            asked = Counter(s.answers[0] for s in found if (s.split, s.kind) == (split, kind))
            assert sum(asked.values()) >= 10
            spread = [asked[str(digit)] for digit in range(10)]
            assert max(spread) - min(spread) <= 1
