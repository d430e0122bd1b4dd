"""Near-duplicates: real edits are found, other pictures are not, no pair is missed."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from real_videos import write_video

from pixel_core.config import PipelineConfig
from pixel_core.config.near_duplicates import NearDuplicatesConfig
from pixel_core.data.sources import ingest
from pixel_core.data.sources.near_duplicates import NearDuplicates, compared, settle
from pixel_core.data.sources.near_hashes import BYTES
from pixel_core.records import Seed, Split, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

FONT = ImageFont.truetype(
    str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 14
)


def scene(seed: int) -> Image.Image:
    """Like a photograph: noise that falls with frequency as nature's does, and some things."""
    dice = np.random.default_rng(seed)
    width, height = 400, 300
    down, across = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    grey = np.fft.ifft2(np.fft.fft2(dice.normal(size=(height, width))) / frequency**1.1).real
    grey = (grey - grey.mean()) / grey.std() * 45 + 128
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y, wide, high = dice.integers(20, 200, 4).tolist()
        colour = tuple(dice.integers(0, 256, 3).tolist())
        draw.ellipse((x, y, x + wide // 2, y + high // 2), fill=colour)
    return image


def page(seed: int) -> Image.Image:
    """A page of text under the same heading and in the same columns as all others."""
    dice = random.Random(seed)
    image = Image.new("RGB", (480, 600), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 480, 40), fill=(30, 60, 120))
    draw.text((20, 12), "The Daily Page", font=FONT, fill="white")
    for top in range(60, 580, 18):
        words = ("".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(9))
        line = " ".join(words)
        draw.text((20, top), line[: dice.choice((0, 20, 40, 45, 48))], font=FONT, fill="black")
    return image


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    left, top = round(width * share), round(height * share)
    return image.crop((left, top, width - left, height - top))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "encoded anew": lambda image: jpeg(image, 40),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "slightly cropped": lambda image: cropped(image, 0.005),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "all of it": lambda image: jpeg(
        ImageEnhance.Brightness(image.reduce(2)).enhance(1.1),
        60,
    ),
}


@pytest.fixture(scope="module")
def originals() -> list[Image.Image]:
    return [scene(seed) for seed in range(12)] + [page(seed) for seed in range(12)]


@pytest.mark.parametrize("edit", EDITS)
def test_edited_copies_are_found_and_no_others(originals: list[Image.Image], edit: str) -> None:
    near = NearDuplicates(NearDuplicatesConfig())
    for key, original in enumerate(originals):
        near.add(key, original)
        near.add(100 + key, EDITS[edit](original))
    assert {frozenset(group) for group in near.groups()} == {
        frozenset((key, 100 + key)) for key in range(len(originals))
    }


def test_other_pages_and_scenes_are_far_apart(originals: list[Image.Image]) -> None:
    """Not just beyond the default distance: with room to spare."""
    near = NearDuplicates(NearDuplicatesConfig(distance=32))
    for key, original in enumerate(originals):
        near.add(key, original)
    assert near.groups() == []


def test_blank_pictures_are_near_to_nothing() -> None:
    near = NearDuplicates(NearDuplicatesConfig())
    for key, colour in enumerate(("black", "black", "white", (1, 1, 1))):
        near.add(key, Image.new("RGB", (64, 48), colour))
    assert near.groups() == []


def hashes(count: int, seed: int, distance: int) -> list[bytes]:
    """Random ones, and for some a chain of others each up to ``distance`` bits further."""
    dice = random.Random(seed)
    made: list[int] = []
    while len(made) < count:
        value = dice.getrandbits(256)
        made.append(value)
        for _ in range(dice.choice((0, 0, 0, 1, 3))):
            for bit in dice.sample(range(256), dice.randint(0, distance + 1)):
                value ^= 1 << bit
            made.append(value)
    dice.shuffle(made)
    return [value.to_bytes(BYTES, "big") for value in made[:count]]


def by_comparing_all(found: list[bytes], distance: int) -> set[frozenset[int]]:
    """The definition: chains of pairs, each compared with each."""
    numbers = [int.from_bytes(value, "big") for value in found]
    group = {key: {key} for key in range(len(found))}
    for one, first in enumerate(numbers):
        for other in range(one):
            if (first ^ numbers[other]).bit_count() <= distance:
                joined = group[one] | group[other]
                for key in joined:
                    group[key] = joined
    return {frozenset(members) for members in group.values() if len(members) > 1}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 2, 5, 24, 32]), st.integers(0, 120))
def test_no_pair_is_missed(seed: int, distance: int, count: int) -> None:
    found = hashes(count, seed, distance)
    near = NearDuplicates(NearDuplicatesConfig(distance=distance))
    for key, value in enumerate(found):
        near.add(key, value)
    groups = {frozenset(group) for group in near.groups()}
    assert groups == by_comparing_all(found, distance)


def test_a_large_family_is_one_group() -> None:
    """Look-alikes that agree in nearly all bits crowd every bucket of the search."""
    dice = random.Random(0)
    centre = dice.getrandbits(256)
    near = NearDuplicates(NearDuplicatesConfig())
    for key in range(2000):
        value = centre
        for bit in dice.sample(range(256), 6):
            value ^= 1 << bit
        near.add(key, value.to_bytes(BYTES, "big"))
    near.add(5000, (centre ^ ((1 << 60) - 1)).to_bytes(BYTES, "big"))  # 60 bits away
    [group] = near.groups()
    assert sorted(group) == list(range(2000))


def test_pictures_of_one_key_tie_what_they_are_near_to() -> None:
    dice = random.Random(1)
    one, other, third = (dice.randbytes(BYTES) for _ in range(3))
    near = NearDuplicates(NearDuplicatesConfig())
    for key, value in ((7, one), (8, one), (8, other), (9, other), (10, third)):
        near.add(key, value)
    assert [sorted(group) for group in near.groups()] == [[7, 8, 9]]


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_order_of_adding_changes_nothing(dice: random.Random) -> None:
    found = list(enumerate(hashes(40, 3, 24)))
    dice.shuffle(found)
    near = NearDuplicates(NearDuplicatesConfig())
    for key, value in found:
        near.add(key, value)
    straight = NearDuplicates(NearDuplicatesConfig())
    for key, value in enumerate(hashes(40, 3, 24)):
        straight.add(key, value)
    assert near.groups() == straight.groups()


def test_turned_off_it_finds_nothing() -> None:
    near = NearDuplicates(NearDuplicatesConfig(enabled=False))
    for key in range(2):
        near.add(key, bytes(range(BYTES)))
    assert near.groups() == []


def test_a_hash_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 8"):
        NearDuplicates(NearDuplicatesConfig()).add(0, b"12345678")


def test_a_picture_is_compared_whole_and_a_video_by_some_frames() -> None:
    config = NearDuplicatesConfig(video_frames=4)
    assert compared(3, False, config) == (0, 1, 2)
    assert compared(16, True, config) == (2, 6, 10, 14)
    assert compared(3, True, config) == (0, 1, 2)


# --- which split ------------------------------------------------------------------------

TRAIN, VALIDATION, TEST = Split.TRAIN, Split.VALIDATION, Split.TEST


def test_free_seeds_follow_the_highest_stated_split_and_lower_ones_are_left_out() -> None:
    splits = [TRAIN, VALIDATION, TEST, TRAIN, TEST, VALIDATION]
    fixed = [True, True, False, False, False, True]
    settled = settle([(3, 0, 1, 2), (5, 4)], splits, fixed)
    assert settled.moved == {2: VALIDATION, 3: VALIDATION, 4: VALIDATION}
    assert settled.left_out == {0}


def test_a_group_without_a_stated_split_goes_where_its_representative_is() -> None:
    splits = [TRAIN, TEST, VALIDATION]
    settled = settle([(2, 0, 1)], splits, [False] * 3)
    assert settled.moved == {0: VALIDATION, 1: VALIDATION}
    assert not settled.left_out


def test_the_representative_has_the_smallest_hash_whatever_its_key() -> None:
    near = NearDuplicates(NearDuplicatesConfig(distance=8))
    for key, last in ((0, 3), (1, 1), (2, 7)):
        near.add(key, bytes(BYTES - 1) + bytes([last]))
    assert near.groups() == [(1, 0, 2)]


@given(st.data())
def test_a_settled_group_stands_in_one_split(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    splits = data.draw(st.lists(st.sampled_from(list(Split)), min_size=count, max_size=count))
    fixed = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    keys = data.draw(st.permutations(range(count)))
    cut = data.draw(st.integers(0, count))
    groups = [group for group in (tuple(keys[:cut]), tuple(keys[cut:])) if len(group) > 1]
    settled = settle(groups, splits, fixed)
    assert not set(settled.moved) & settled.left_out
    assert not any(fixed[key] for key in settled.moved)
    assert all(fixed[key] for key in settled.left_out)
    for group in groups:
        kept = [key for key in group if key not in settled.left_out]
        assert kept
        assert len({settled.moved.get(key, splits[key]) for key in kept}) == 1
        stated = {splits[key] for key in group if fixed[key]}
        if stated:  # the strictest split keeps what was stated for it
            assert not any(splits[key] is TEST and fixed[key] for key in settled.left_out)
    touched = set(settled.moved) | settled.left_out
    assert touched <= {key for group in groups for key in group}


def test_ingest_keeps_videos_of_one_content_in_one_split(tmp_path: Path) -> None:
    """One recording in three encodings; the other one looks different."""
    records = [
        {"video": "a.mp4", "split": "test"},
        {"video": "again.avi"},
        {"video": "stated.gif", "split": "train"},
        {"video": "other.mp4", "split": "train"},
        {"video": "other.avi", "split": "train"},
    ]
    for record in records:
        name = record["video"]
        content = scene(6 if name.startswith("other") else 5).resize((160, 120))
        codec, pixels = ("gif", "rgb8") if name.endswith("gif") else ("mpeg4", "yuv420p")
        write_video(
            tmp_path / name, codec, pixels=pixels, frames=8, draw=lambda _, shown=content: shown
        )
    lines = [record | {"question": "What falls?", "answer": "a cup"} for record in records]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "questions.jsonl").write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    config = PipelineConfig.model_validate(
        {
            "ingest": {
                "sources": ["videos"],
                "videos": {"path": str(tmp_path), "splits": {"validation": 0, "test": 0}},
            }
        }
    )
    context = StageContext(config, {}, out, None, SilentProgress())
    metrics = ingest.run(context)
    splits = [seed.split for seed in read_jsonl(out / "seeds.jsonl", Seed)]
    assert splits == [Split.TEST, Split.TEST, Split.TRAIN, Split.TRAIN]
    assert metrics["moved_near_duplicates"] == 1
    assert metrics["left_out"] == {"near_duplicate": 1}
