"""Videos with questions: the right frames, the window's own among them, faults at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from real_videos import number_on, write_video

from pixel_core.config import VideosConfig
from pixel_core.config.manifest import SplitShares
from pixel_core.data.sources.videos.source import VideosSource, frames_in, with_window
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.media.frames import even_frames
from pixel_core.records import FrameCue, Seed, Split

#: The index stands before the frames, so that damage at the end leaves it whole.
AHEAD = {"movflags": "faststart"}

ASKED = {"question": "What falls?", "answer": "the cup"}


def folder_of(root: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Two videos of two seconds, 25 frames a second, each frame with its number."""
    root.mkdir(exist_ok=True)
    write_video(root / "a.mp4", "libx264", options={"bf": "2", "g": "12"})
    (root / "more").mkdir(exist_ok=True)
    write_video(root / "more" / "b.avi", frames=10)
    lines = (json.dumps(record) + "\n" for record in records)
    (root / "questions.jsonl").write_text("".join(lines))
    return root


def read(source: VideosSource, archive: Path) -> list[tuple[Seed, list[int], bool]]:
    """Every seed with the numbers on its frames, and whether its split is fixed."""
    with PictureArchiveWriter(archive) as writer:
        found = list(source.seeds(writer))
    assert len(found) == source.total()
    pictures = PictureArchive(archive)
    return [
        (
            item.seed,
            [number_on(pictures.load(picture)) for picture in item.seed.pictures],
            item.fixed,
        )
        for item in found
    ]


def config(path: Path | str, **settings: Any) -> VideosConfig:
    return VideosConfig(path=str(path), **{"frames": 4, "window_frames": 2, **settings})


def test_frames_at_the_centres_of_equal_parts_and_those_of_the_window(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "videos",
        [
            {"video": "a.mp4", **ASKED},
            {"video": "more/b.avi", **ASKED},
            {"video": "a.mp4", **ASKED, "start": 1, "end": 1.2, "id": "cup", "split": "test"},
            {"video": "a.mp4", **ASKED, "start": 0.5, "end": 1.5, "kind": "order"},
            {"video": "a.mp4", **ASKED, "start": 0.41, "end": 0.43, "subject": "the cup"},
        ],
    )
    source = VideosSource(config(folder, licence="CC0", revision="2"))
    found = read(source, tmp_path / "pictures.zip")
    # Centres at 0.25, 0.75, 1.25 and 1.75 s; of the short video at 0.05, 0.15, 0.25, 0.35 s.
    even = [6, 18, 31, 43]
    expected = [
        (even, None),
        ([6, 18, 26, 28, 31, 43], (2, 3)),  # the window has the frames 25 to 30
        (even, (1, 2)),  # both of the window are there already
        ([6, 10, 18, 31, 43], (1,)),  # nothing appears in the window; 10 is on the screen
        ([1, 3, 6, 8], None),
    ]
    assert [(numbers, seed.cue and seed.cue.frames) for seed, numbers, _ in found] == expected
    assert [fixed for *_, fixed in found] == [False, True, False, False, False]
    # One video, one split.
    assert [seed.split for seed, *_ in found[:4]] == [Split.TEST] * 4
    seed = found[1][0]
    assert seed.id == "cup"
    assert seed.is_video
    assert isinstance(seed.cue, FrameCue)
    assert (seed.question, seed.answers, seed.kind) == ("What falls?", ("the cup",), "video")
    assert (seed.provenance.licence, seed.provenance.revision) == ("CC0", "2")
    assert found[2][0].kind == "order"
    assert found[3][0].subject == "the cup"
    digests = {seed.provenance.digest for seed, *_ in found}
    assert len(digests) == 5


def test_the_same_folder_on_s3_makes_the_same_bytes(tmp_path: Path, s3_uri: str) -> None:
    folder = folder_of(
        tmp_path / "videos",
        [
            {"video": "a.mp4", **ASKED, "start": 1, "end": 1.5},
            {"video": "more/b.avi", **ASKED, "choices": ["the cup", "a plate"]},
        ],
    )
    bucket, _, prefix = s3_uri.removeprefix("s3://").partition("/")
    for name in ("a.mp4", "more/b.avi", "questions.jsonl"):
        boto3.client("s3").upload_file(str(folder / name), bucket, f"{prefix}/{name}")
    here, there = VideosSource(config(folder)), VideosSource(config(s3_uri))
    assert here.fingerprint() == there.fingerprint()
    assert read(here, tmp_path / "here.zip") == read(there, tmp_path / "there.zip")
    assert (tmp_path / "here.zip").read_bytes() == (tmp_path / "there.zip").read_bytes()


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "videos", [{"video": "a.mp4", **ASKED}])
    before = VideosSource(config(folder)).fingerprint()
    (folder / "notes.txt").write_text("not a video")
    assert VideosSource(config(folder)).fingerprint() == before
    write_video(folder / "a.mp4", frames=20)
    changed = VideosSource(config(folder)).fingerprint()
    assert changed["videos"] != before["videos"]
    assert changed["questions"] == before["questions"]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    good = {"video": "a.mp4", **ASKED}
    records = {
        '"missing.mp4" is not in': good | {"video": "missing.mp4"},
        "name a file of the folder": good | {"video": "../a.mp4"},
        "not usable: video broken.mp4": good | {"video": "broken.mp4"},
        "is missing; give its path": ASKED,
        "which lasts 2.00 s": good | {"start": 1, "end": 2.6},
        "9.0 is after the end": good | {"start": 9, "end": 10},
        "is not after the start 1.5": good | {"start": 1.5, "end": 1.5},
        'give both "start" and "end"': good | {"start": 1},
        "is no time": good | {"start": "1", "end": 2},
        "-1 is no time": good | {"start": -1, "end": 2},
        "is an unknown field": good | {"clip": 3},
        "is none of the choices": good | {"choices": ["a plate", "a fork"]},
        "was used at questions.jsonl, line 13": good | {"id": "one"},
        '"test" is not "train" as at questions.jsonl, line 14': good | {"split": "train"},
    }
    folder = folder_of(
        tmp_path / "videos", [*records.values(), good | {"id": "one", "split": "test"}]
    )
    (folder / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    with pytest.raises(DataError) as caught:
        VideosSource(config(folder)).fingerprint()
    text = str(caught.value)
    assert f"{len(records)} problems" in text
    for told in records:
        assert told in text


def test_a_video_damaged_further_in_is_told_after_all_were_tried(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "videos",
        [{"video": "b.mp4", **ASKED}, {"video": "c.mp4", **ASKED}, {"video": "a.mp4", **ASKED}],
    )
    for name in ("b.mp4", "c.mp4"):
        frames = 50 if name == "b.mp4" else 60
        path = write_video(
            folder / name, "libx264", options={"g": "10"}, container=AHEAD, frames=frames
        )
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2))
    source = VideosSource(config(folder))
    source.fingerprint()
    with pytest.raises(DataError, match="2 problems") as caught:
        read(source, tmp_path / "pictures.zip")
    assert "b.mp4" in str(caught.value)
    assert "c.mp4" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"), [(None, "is missing"), ("", "is empty"), ("\n\n", "has no records")]
)
def test_questions_that_are_not_there(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "questions.jsonl").write_text(text)
    with pytest.raises(DataError, match=told):
        VideosSource(config(tmp_path)).fingerprint()


def test_a_folder_is_needed(tmp_path: Path) -> None:
    for path in ("", tmp_path / "nothing"):
        with pytest.raises(DataError, match=r"ingest\.videos\.path"):
            VideosSource(config(path))


def test_more_frames_than_an_episode_shows_are_refused() -> None:
    with pytest.raises(ValidationError, match="48 frames"):
        VideosConfig(frames=46, window_frames=3)


def test_records_without_a_split_are_placed_by_their_ids(tmp_path: Path) -> None:
    records = [{"video": "a.mp4", **ASKED, "id": "one"}]
    folder = folder_of(tmp_path / "videos", records)
    shares = SplitShares(validation=0, test=0)
    [(seed, *_)] = read(VideosSource(config(folder, splits=shares)), tmp_path / "a.zip")
    assert seed.split is Split.TRAIN


# --- which frames -----------------------------------------------------------------------


@dataclass(frozen=True)
class Steady:
    """A video with a frame at every whole second."""

    frame_count: int

    @property
    def duration_s(self) -> float:
        return float(self.frame_count)

    def index_at(self, seconds: float) -> int:
        return max(0, min(int(seconds), self.frame_count - 1))

    def time_of(self, index: int) -> float:
        return float(index)


@given(st.integers(1, 300), st.integers(1, 32))
def test_even_frames_are_spread_evenly(frames: int, count: int) -> None:
    chosen = even_frames(Steady(frames), count)
    assert len(chosen) == min(frames, count)
    gaps = {after - before for before, after in pairwise(chosen)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert abs(chosen[0] - (frames - 1 - chosen[-1])) <= 1  # as far from either end


@given(
    st.integers(1, 300),
    st.integers(1, 16),
    st.floats(0, 299),
    st.floats(0.01, 299),
    st.integers(1, 16),
)
def test_a_window_holds_enough_frames(
    frames: int, count: int, start: float, length: float, least: int
) -> None:
    video = Steady(frames)
    even = even_frames(video, count)
    window = frames_in(video, start, start + length)
    assert len(window) >= 1
    chosen = with_window(even, window, least)
    assert chosen == sorted(set(chosen))
    assert set(even) <= set(chosen)
    assert set(chosen) - set(even) <= set(window)
    inside = [frame for frame in chosen if frame in window]
    assert len(inside) >= min(least, len(window))
    assert len(chosen) <= len(even) + least


@given(st.floats(0, 50), st.floats(0.01, 49))
def test_a_windows_frames_appear_in_it(start: float, length: float) -> None:
    window = frames_in(Steady(100), start, start + length)
    inside = [t for t in range(100) if start - 0.001 <= t <= start + length]
    assert list(window) == inside or (not inside and len(window) == 1)
