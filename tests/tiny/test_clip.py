"""Drawn videos: what is asked about is in the frames that are named, and in no other."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config import ClipConfig, DrawnConfig
from pixel_core.data.sources import drawn
from pixel_core.errors import ConfigError
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import FrameCue, Seed, Split
from pixel_core.tiny.clip import KIND, ClipWorld, ask_clip, with_clip_digit
from pixel_core.tiny.draw import draw
from pixel_core.tiny.scene import COLOURS

MIXED = DrawnConfig(train=60, validation=4, test=20, video_share=0.3)


def shows(image: object, colour: str) -> bool:
    pixels = np.asarray(image)
    return bool((pixels == COLOURS[colour]).all(-1).sum() > 100)


def made(config: DrawnConfig, folder: Path) -> tuple[list[Seed], PictureArchive]:
    folder.mkdir()
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        seeds = list(drawn.seeds(config, archive))
    return seeds, PictureArchive(folder / "pictures.zip")


@given(st.integers(0, 10**9))
def test_a_card_is_seen_in_its_frames_and_in_no_other(seed: int) -> None:
    rng = random.Random(seed)
    clip = ClipWorld(ClipConfig()).clip(rng)
    question = ask_clip(clip, rng)
    clip, question = with_clip_digit(clip, question, "7")
    scenes = clip.scenes()
    assert len(scenes) == 16
    (visit,) = [v for v in clip.visits if v.card.colour in question.subject]
    assert visit.card.digit == question.answer == "7"
    seen = tuple(
        at
        for at, scene in enumerate(scenes)
        if any(card.colour == visit.card.colour for card in scene.cards)
    )
    assert seen == question.frames
    assert 1 <= len(seen) <= ClipConfig().longest
    for scene in scenes:
        cells = [card.cell for card in scene.cards]
        assert len(cells) == len(set(cells))


def test_seeds_hold_the_clips_pixels(tmp_path: Path) -> None:
    seeds, archive = made(MIXED, tmp_path / "a")
    videos = [seed for seed in seeds if seed.is_video]
    assert 10 <= len(videos) <= 40  # 84 items at 0.3
    for seed in videos:
        assert isinstance(seed.cue, FrameCue)
        assert seed.kind == KIND
        colour = seed.subject.split()[1]
        images = [archive.load(picture) for picture in seed.pictures]
        seen = tuple(at for at, image in enumerate(images) if shows(image, colour))
        assert seen == seed.cue.frames


def test_other_items_stay_what_they_are_when_some_become_videos(tmp_path: Path) -> None:
    mixed, _ = made(MIXED, tmp_path / "a")
    plain, _ = made(MIXED.model_copy(update={"video_share": 0.0}), tmp_path / "b")
    assert not any(seed.is_video for seed in plain)
    assert [seed.id for seed in mixed] == [seed.id for seed in plain]
    for one, other in zip(mixed, plain, strict=True):
        if not one.is_video:
            # Which digit is asked for next depends on how many were asked before.
            assert (one.kind, one.subject, one.cue) == (other.kind, other.subject, other.cue)


def test_answers_are_spread_and_splits_are_apart(tmp_path: Path) -> None:
    config = DrawnConfig(train=40, validation=4, test=20, video_share=1.0)
    seeds, _ = made(config, tmp_path / "a")
    test = [seed for seed in seeds if seed.split is Split.TEST]
    assert sorted(seed.answers[0] for seed in test) == sorted([*"0123456789"] * 2)
    digests = [seed.provenance.digest for seed in seeds]
    assert len(digests) == len(set(digests))


def test_an_endless_event_and_a_crowd_are_refused() -> None:
    with pytest.raises(ValueError, match="always there"):
        ClipConfig(frames=3, longest=3)
    crowded = ClipConfig(frames=4, longest=3, visits=8, grid=1)
    with pytest.raises(ConfigError, match="ask for fewer visits"):
        ClipWorld(crowded).clip(random.Random(0))


def test_a_clip_is_drawn_as_its_scenes() -> None:
    clip = ClipWorld(ClipConfig()).clip(random.Random(3))
    for scene in clip.scenes():
        image = draw(scene)
        assert image.size == (clip.world.config.side,) * 2
        assert {c for c in COLOURS if shows(image, c)} == {card.colour for card in scene.cards}
