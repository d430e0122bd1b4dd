"""The drawn source through the ingest stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_core.config import DrawnConfig, IngestConfig, PipelineConfig, WorldConfig
from pixel_core.data.sources import ingest
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Seed, Split, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext


class NoWork:
    """Ingest keeps nothing between runs."""

    def put(self, name: str, data: bytes) -> None:
        raise AssertionError("ingest has nothing to resume")

    def get(self, name: str) -> bytes | None:
        raise AssertionError("ingest has nothing to resume")

    def names(self) -> list[str]:
        return []

    def delete(self, name: str) -> None:
        pass


def build(out: Path, **drawn: object) -> tuple[list[Seed], dict]:
    out.mkdir()
    config = PipelineConfig(
        ingest=IngestConfig(drawn=DrawnConfig.model_validate({**SMALL, **drawn}))
    )
    context = StageContext(config, {}, out, NoWork(), SilentProgress())
    metrics = ingest.run(context)
    return list(read_jsonl(out / "seeds.jsonl", Seed)), metrics


SMALL = {"train": 60, "validation": 20, "test": 30}


def test_counts_pictures_and_cues_are_as_recorded(tmp_path: Path) -> None:
    seeds, metrics = build(tmp_path / "a")
    assert metrics["by_split"] == SMALL
    assert metrics["seeds"] == len({seed.id for seed in seeds}) == 110
    for split in Split:
        kinds = metrics["by_kind"][split]
        assert sum(kinds.values()) == SMALL[split]
        assert set(kinds) <= {"digit_small", "digit_big", "count", "exists"}
    archive = PictureArchive(tmp_path / "a" / "pictures.zip")
    for seed in seeds:
        image = archive.load(seed.pictures[0])
        if seed.cue is not None:
            box = seed.cue.box
            assert box.x2 <= image.width
            assert box.y2 <= image.height
            # A card lies under the cue: its face differs from the background gradient.
            centre = image.getpixel(((box.x1 + box.x2) // 2, box.y1 + 8))
            assert centre != image.getpixel((0, 0))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path / "a")
    build(tmp_path / "b")
    build(tmp_path / "c", seed=1)
    for name in ("seeds.jsonl", "pictures.zip"):
        first, again, other = (
            (tmp_path / folder / name).read_bytes() for folder in ("a", "b", "c")
        )
        assert first == again
        assert first != other


def test_a_larger_train_split_begins_with_the_smaller_one(tmp_path: Path) -> None:
    def by_id(seeds: list[Seed]) -> dict[str, str]:
        return {seed.id: seed.model_dump_json() for seed in seeds}

    small = by_id(build(tmp_path / "a")[0])
    large = by_id(build(tmp_path / "b", train=90)[0])
    assert small.items() <= large.items()


def test_no_scene_is_shared_between_splits(tmp_path: Path) -> None:
    # A world of 2 cells with one unjittered card has few scenes, so collisions are certain
    # unless they are prevented.
    world = WorldConfig(
        side=224, grid=2, card=80, jitter=0, min_cards=1, max_cards=2, big_share=0.5
    )
    seeds, _ = build(tmp_path / "a", world=world, train=600, validation=100, test=150)
    scenes = {
        split: {seed.pictures[0].sha256 for seed in seeds if seed.split is split}
        for split in Split
    }
    assert not scenes[Split.TRAIN] & scenes[Split.TEST]
    assert not scenes[Split.TRAIN] & scenes[Split.VALIDATION]
    assert not scenes[Split.VALIDATION] & scenes[Split.TEST]


def test_a_world_too_small_to_keep_splits_apart_is_refused(tmp_path: Path) -> None:
    world = WorldConfig(side=112, grid=1, jitter=0, min_cards=1, max_cards=1, big_share=1.0)
    with pytest.raises(DataError, match=r"too few scenes.*ingest\.drawn\.world"):
        build(tmp_path / "a", world=world, test=2000, validation=5, train=5)


def test_the_drawn_source_has_no_fingerprint_of_its_own() -> None:
    assert ingest.fingerprint(PipelineConfig()) == {}
