"""The example folder is a good manifest, and its script draws it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from PIL import Image, ImageChops

from pixel_core.config import IngestConfig, ManifestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.records import Seed, Split, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

EXAMPLES = Path(__file__).parents[3] / "examples"
CARDS = EXAMPLES / "cards"


def test_the_cards_are_ingested(tmp_path: Path) -> None:
    manifest = ManifestConfig(path=str(CARDS / "manifest.jsonl"))
    config = PipelineConfig(ingest=IngestConfig(sources=("manifest",), manifest=manifest))
    ingest.run(StageContext(config, {}, tmp_path, None, SilentProgress()))
    seeds = list(read_jsonl(tmp_path / "seeds.jsonl", Seed))
    by_split = Counter(seed.split for seed in seeds)
    assert by_split[Split.TRAIN] > by_split[Split.TEST] > by_split[Split.VALIDATION] > 5
    assert sum(seed.cue is not None for seed in seeds) > len(seeds) / 2
    assert any(seed.choices for seed in seeds)
    assert sum(path.stat().st_size for path in CARDS.iterdir()) < 1_000_000


def test_the_script_draws_what_is_there(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "make_cards.py", tmp_path], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in CARDS.iterdir()}
    manifest = "manifest.jsonl"
    assert (tmp_path / manifest).read_text() == (CARDS / manifest).read_text()
    for path in sorted(CARDS.glob("*.png")):
        # Pixels, not bytes: another zlib packs the same picture otherwise.
        with Image.open(path) as kept, Image.open(tmp_path / path.name) as drawn:
            difference = ImageChops.difference(kept.convert("RGB"), drawn.convert("RGB"))
            assert difference.getbbox() is None, path.name
