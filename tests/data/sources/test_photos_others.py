"""What lies in a photos folder and is no photo is told by kind, with what helps."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from pixel_core.config import IngestConfig, PhotosConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.data.sources.photos import is_picture
from pixel_core.data.sources.photos_others import told_of
from pixel_core.errors import DataError, MediaError
from pixel_core.media.loading import FORMATS, SUFFIXES, load_picture
from pixel_core.workflow.stage import StageContext

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)


def jpeg(grey: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 30), grey).save(out, "JPEG")
    return out.getvalue()


class Notes:
    def __init__(self) -> None:
        self.told: list[str] = []

    def update(self, done: int, total: int, **metrics: float) -> None: ...

    def note(self, text: str) -> None:
        self.told.append(text)


def run(folder: Path, out: Path) -> tuple[dict[str, object], list[str]]:
    photos = PhotosConfig(path=str(folder), min_pixels=1000)
    config = PipelineConfig(ingest=IngestConfig(sources=("photos",), photos=photos))
    out.mkdir()
    notes = Notes()
    metrics = ingest.run(StageContext(config, {}, out, None, notes))
    return metrics, notes.told


@pytest.mark.parametrize("ending", ["jfif", "JFIF", "jpe", "jif", "mpo", "jpeg"])
def test_jpegs_by_their_rarer_names_are_photos(tmp_path: Path, ending: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / f"a.{ending}").write_bytes(jpeg(9))
    metrics, _ = run(tmp_path / "photos", tmp_path / "out")
    assert metrics["seeds"] == 1


def test_all_names_of_formats_that_are_read_are_known() -> None:
    named = {
        ending
        for ending, format in Image.registered_extensions().items()
        if format in (*FORMATS, "MPO")
    }
    assert named - {".pfm"} <= SUFFIXES
    assert not is_picture(".a.jpg")


def test_the_run_tells_what_it_left_out_by_kind(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / "b.jpg").write_bytes(jpeg(1))
    for name in ("c.heic", "d.HEIC", "e.mp4", "f.json", "g", "h.cr2", "i.zip", ".DS_Store"):
        (folder / name).write_bytes(b"x")
    Image.new("L", (5, 5)).save(folder / "s.png")
    metrics, told = run(folder, tmp_path / "out")
    assert metrics["left_out"] == {
        "photos_other_files": 8,
        "photos_same_again": 1,
        "photos_too_small": 1,
    }
    (line,) = [note for note in told if note.startswith("left out of the photos")]
    for part in (
        "1 with fewer than 1000 pixels",
        "1 with the content of an earlier one",
        "2 .heic (HEIC, which is not read here; convert it to JPEG",
        "1 .mp4 (video; ask about it through the source videos)",
        "1 .zip (packed; unpack it)",
        "1 .cr2 (a camera's raw format; export it as JPEG)",
        "1 .json, 1 without an ending",
        "1 hidden",
    ):
        assert part in line


def test_hidden_files_alone_are_not_worth_a_word(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / ".DS_Store").write_bytes(b"x")
    _, told = run(folder, tmp_path / "out")
    assert not [note for note in told if "left out" in note]


def test_a_folder_of_nothing_but_heic_says_how_to_convert(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.heic").write_bytes(HEIC)
    photos = PhotosConfig(path=str(tmp_path / "photos"))
    config = PipelineConfig(ingest=IngestConfig(sources=("photos",), photos=photos))
    with pytest.raises(DataError, match=r"It has 1 .heic \(HEIC.*heif-convert a.heic a.jpg"):
        ingest.fingerprint(config)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (HEIC, "it is HEIC, which is not read here; convert it to JPEG"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"8BPS" + bytes(20), "a Photoshop file; export it"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG"),
        (b"  <!DOCTYPE HTML><html>404", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid x", "git lfs pull"),
        (b"PK\x03\x04....", "a zip; unpack it"),
        (b"nothing known", "it must be one of PNG, JPEG"),
        (b"\x89PNG no more", "it must be one of PNG, JPEG"),
    ],
)
def test_what_is_no_picture_of_ours_is_named(data: bytes, told: str) -> None:
    with pytest.raises(MediaError, match="is not a picture that can be read") as caught:
        load_picture(data, name="a.jpg")
    assert told in str(caught.value)


def test_a_name_of_any_bytes_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "photos") + b"/\xff\xfe.jpg")).write_bytes(jpeg(1))
    Path(os.fsdecode(os.fsencode(tmp_path / "photos") + b"/\xff.\xfe")).write_bytes(b"x")
    metrics, told = run(tmp_path / "photos", tmp_path / "out")
    assert metrics["seeds"] == 1
    "".join(told).encode()


def test_many_kinds_are_told_shortly() -> None:
    assert told_of([]) == ""
    names = [f"{number}.e{number}" for number in range(9)]
    assert told_of(names).endswith("1 .e4, 4 others")
