"""A picture that no model can be shown is found at ingest, whatever source it comes from."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixel_core.config import (
    HubConfig,
    ImportedConfig,
    IngestConfig,
    ManifestConfig,
    PhotosConfig,
    PipelineConfig,
    PixelBudget,
)
from pixel_core.data.sources import ingest
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.videos import questions
from pixel_core.errors import DataError, MediaError
from pixel_core.media.budget import check_shape, fit
from pixel_core.media.picture_facts import Pictures, check_shown
from pixel_core.media.picture_files import embedded
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Picture, Provenance, Seed, Split, write_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

#: Over 200 : 1, just so or far beyond.
NARROW = [(2000, 8), (8, 2000), (201, 1), (1, 201), (5601, 28), (30_000, 3)]
#: Small, or as narrow as can be shown.
SHOWN = [(1, 1), (1, 200), (200, 1), (2, 3), (5600, 28), (27, 27)]


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, height % 256, 9)).save(out, "PNG")
    return out.getvalue()


def run(config: IngestConfig, out: Path) -> dict[str, Any]:
    out.mkdir()
    context = StageContext(PipelineConfig(ingest=config), {}, out, None, SilentProgress())
    return ingest.run(context)


def manifest(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    lines = []
    for number, size in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(png(*size))
        record = {"image": f"{number}.png", "question": "?", "answer": "7", "split": "train"}
        lines.append(json.dumps(record) + "\n")
    (folder / "m.jsonl").write_text("".join(lines))
    return folder / "m.jsonl"


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(4, 5000))
def test_what_passes_can_be_shown_under_any_budget(width: int, height: int, most: int) -> None:
    try:
        check_shape(width, height)
    except MediaError:
        assert max(width, height) > 200 * min(width, height)
    else:
        shown = fit(width, height, PixelBudget(max_pixels=most * 28 * 28))
        assert all(side >= 28 and side % 28 == 0 for side in shown)


def test_a_manifest_tells_file_line_field_and_remedy(tmp_path: Path) -> None:
    path = manifest(tmp_path, [*SHOWN, *NARROW])
    config = IngestConfig(sources=("manifest",), manifest=ManifestConfig(path=str(path)))
    with pytest.raises(DataError) as caught:
        ingest.fingerprint(PipelineConfig(ingest=config))
    told = str(caught.value)
    assert f"{len(NARROW)} problems" in told
    for number, (width, height) in enumerate(NARROW, len(SHOWN)):
        line = next(line for line in told.splitlines() if f"line {number + 1}," in line)
        assert f"field 'image': \"{number}.png\" can't be shown to a model" in line
        assert f"{width} x {height} pixels is too narrow" in line
        assert "cut it into pieces; or leave it out" in line


def test_tiny_ones_are_taken(tmp_path: Path) -> None:
    path = manifest(tmp_path, SHOWN)
    config = IngestConfig(sources=("manifest",), manifest=ManifestConfig(path=str(path)))
    assert run(config, tmp_path / "out")["seeds"] == len(SHOWN)


def test_a_dataset_leaves_them_out_and_counts_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    manifest(tmp_path / "data", [(40, 30), (2000, 8)])
    files = {"train": "m.jsonl"}
    hub = HubConfig(local=str(tmp_path / "data"), files=files, faulty="leave_out")
    metrics = run(IngestConfig(sources=("hub",), hub=hub), tmp_path / "out")
    assert metrics["seeds"] == 1
    assert metrics["left_out"] == {"hub_faulty": 1, "hub_faulty_image": 1}


def test_what_was_looked_at_before_is_checked_again() -> None:
    """Facts are remembered between runs, shapes are judged each time."""
    with Pictures(10**8) as pictures:
        file = embedded(png(2000, 8), "strip.png")
        for _ in range(2):
            found = pictures.facts([file])[file.key]
            assert isinstance(found, PictureFault)


def test_photos_that_are_large_enough_to_be_taken_are_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name, size in {"a": (400, 300), "strip": (30_000, 100), "rule": (2000, 8)}.items():
        (tmp_path / "photos" / f"{name}.png").write_bytes(png(*size))
    photos = PhotosConfig(path=str(tmp_path / "photos"), min_pixels=100_000)
    config = IngestConfig(sources=("photos",), photos=photos)
    with pytest.raises(DataError, match=r'picture: "strip.png" can\'t be shown to a model'):
        ingest.fingerprint(PipelineConfig(ingest=config))
    (tmp_path / "photos" / "strip.png").unlink()
    assert run(config, tmp_path / "out")["left_out"] == {"photos_too_small": 1}


def test_an_older_import_is_told_by_line(tmp_path: Path) -> None:
    picture = Picture(member="pictures/a.png", width=2000, height=8, sha256="0" * 64)
    seed = Seed(
        id="imported-1",
        split=Split.TRAIN,
        question="?",
        answers=("7",),
        pictures=(picture,),
        provenance=Provenance(source="imported"),
    )
    write_jsonl(tmp_path / "seeds.jsonl", [seed])
    (tmp_path / "trajectories.jsonl").write_text("")
    imported = ImportedConfig(path=str(tmp_path))
    with pytest.raises(DataError, match=r"seeds.jsonl, line 1, field 'pictures'.*too narrow"):
        run(IngestConfig(sources=("imported",), imported=imported), tmp_path / "out")


def test_an_import_tells_what_it_left_out(tmp_path: Path) -> None:
    data = png(40, 30)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    seed = Seed(
        id="imported-1",
        split=Split.TRAIN,
        question="?",
        answers=("7",),
        pictures=(Picture(member="pictures/a.png", width=40, height=30, sha256=digest),),
        provenance=Provenance(source="imported"),
    )
    write_jsonl(tmp_path / "seeds.jsonl", [seed])
    rejected = {"replay_differs": 2, "picture_shape": 1}
    (tmp_path / "import.json").write_text(json.dumps({"counts": {"rejected": rejected}}))
    config = IngestConfig(sources=("imported",), imported=ImportedConfig(path=str(tmp_path)))
    left_out = run(config, tmp_path / "out")["left_out"]
    assert left_out == {"imported_picture_shape": 1, "imported_replay_differs": 2}


def test_a_video_of_strips_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Strips:
        duration_s = 1.0

        def __init__(self, path: Path, name: str) -> None: ...

        def frames_at(self, seconds: list[float]) -> list[Image.Image]:
            return [Image.new("RGB", (2000, 8))]

    (tmp_path / "a.mp4").write_bytes(b"video")
    monkeypatch.setattr(questions, "VideoFile", Strips)
    facts = questions.video_facts(Folder(str(tmp_path)), "a.mp4")
    assert "2000 x 8 pixels is too narrow" in facts.fault


@pytest.mark.parametrize("size", NARROW)
def test_what_draws_a_page_asks_the_same(size: tuple[int, int]) -> None:
    with pytest.raises(PictureFault, match="can't be shown to a model"):
        check_shown(*size)
