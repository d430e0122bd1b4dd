"""Examples: of every kind, the same every time, and nobody was trained on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_core.config import DrawnConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.sources.drawn import seeds
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.serving.demo.examples import draw_examples
from pixel_core.tiny.clip import KIND


def test_they_need_looking_first_and_show_every_kind() -> None:
    drawn = load_profile("tiny").ingest.drawn
    found = draw_examples(drawn)
    assert len(found) == 6
    assert not found[0].legible
    assert [one.legible for one in found] == sorted(one.legible for one in found)
    assert {one.kind for one in found} == {"digit_small", "digit_big", "exists", "count"}
    again = draw_examples(drawn)
    assert [(o.question, o.answer) for o in found] == [(o.question, o.answer) for o in again]
    assert [o.images[0].tobytes() for o in found] == [o.images[0].tobytes() for o in again]


@pytest.mark.parametrize("count", [0, 1, 12])
def test_as_many_as_wished(count: int) -> None:
    found = draw_examples(DrawnConfig(), count)
    assert len(found) == count
    assert len({(one.question, one.images[0].tobytes()) for one in found}) == count


def test_a_world_with_videos_has_some() -> None:
    drawn = load_profile("tiny_video").ingest.drawn
    found = draw_examples(drawn)
    videos = [one for one in found if one.is_video]
    assert len(videos) == 2
    assert all(one.kind == KIND and len(one.images) == drawn.clip.frames for one in videos)


def test_none_is_a_picture_of_a_split(tmp_path: Path) -> None:
    drawn = DrawnConfig(train=200, validation=20, test=60)
    with PictureArchiveWriter(tmp_path / "pictures.zip") as writer:
        splits = list(seeds(drawn, writer))
    archive = PictureArchive(tmp_path / "pictures.zip")
    known = {archive.load(seed.pictures[0]).tobytes() for seed in splits}
    assert len(known) > 250
    assert not known & {one.images[0].tobytes() for one in draw_examples(drawn, 12)}
