"""A user's own manifest: what is read from it, and what is said about its faults."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from pixel_core.config import IngestConfig, ManifestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import FrameCue, Seed, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext


def picture(shade: int, size: tuple[int, int] = (64, 48), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (shade, 10, 200)).save(out, kind)
    return out.getvalue()


def record(number: int, split: str | None, **fields: Any) -> dict[str, Any]:
    base = {
        "id": f"q{number}",
        "image": f"p{number}.png",
        "question": "which digit is on the sign?",
        "answer": str(number),
        "split": split,
    }
    return {**base, **fields}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of six pictures; tests write the manifest."""
    root = tmp_path / "data"
    root.mkdir()
    for number in range(6):
        (root / f"p{number}.png").write_bytes(picture(20 * number))
    return root


def good() -> list[dict[str, Any]]:
    splits = ["train", "train", "train", "validation", "test", "test"]
    return [record(number, split) for number, split in enumerate(splits)]


def write(folder: Path, rows: list[Any], name: str = "manifest.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def config(path: Path, **manifest: Any) -> PipelineConfig:
    return PipelineConfig(
        ingest=IngestConfig(
            sources=("manifest",), manifest=ManifestConfig(path=str(path), **manifest)
        )
    )


def run(path: Path, **manifest: Any) -> tuple[list[Seed], dict[str, Any]]:
    out = path.parent.parent / f"out{len(list(path.parent.parent.iterdir()))}"
    out.mkdir()
    context = StageContext(config(path, **manifest), {}, out, None, SilentProgress())
    metrics = ingest.run(context)
    return list(read_jsonl(out / "seeds.jsonl", Seed)), metrics


def refusal(path: Path, **manifest: Any) -> str:
    """The error's text: the same from planning (the fingerprint) and from running."""
    with pytest.raises(DataError) as planned:
        ingest.fingerprint(config(path, **manifest))
    with pytest.raises(DataError) as ran:
        run(path, **manifest)
    assert str(planned.value) == str(ran.value)
    return str(planned.value)


def test_every_field_arrives(folder: Path) -> None:
    rows = good()
    rows[0] = {
        "id": "first",
        "images": ["p0.png", "p1.png"],
        "question": " which? ",
        "answers": ["b", "blue"],
        "choices": ["red", "blue"],
        "boxes": [[3, 4, 10.5, 20], [8, 2, 12, 9]],
        "subject": "the sign",
        "kind": "sign",
        "split": "train",
    }
    seeds, metrics = run(write(folder, rows))
    first = seeds[0]
    assert first.id == "first"
    assert first.question == "which?"
    assert first.answers == ("blue", "blue")  # a letter stands for its choice
    assert first.choices == ("red", "blue")
    assert [(p.width, p.height) for p in first.pictures] == [(64, 48)] * 2
    assert first.cue is not None
    assert first.cue.box.as_tuple() == (3, 2, 12, 20)
    assert (first.subject, first.kind, first.provenance.source) == (
        "the sign",
        "sign",
        "manifest",
    )
    assert metrics["by_split"] == {"train": 3, "validation": 1, "test": 2}
    assert metrics["with_cue"] == 1


def test_a_video_is_its_frames(folder: Path) -> None:
    frames = [f"p{number}.png" for number in range(4)]
    video = {"image": None, "images": frames, "is_video": True, "frames": [2, 1, 2]}
    seeds, _ = run(write(folder, [record(0, "train", **video)]))
    assert seeds[0].is_video
    assert len(seeds[0].pictures) == 4
    assert seeds[0].cue == FrameCue(frames=(1, 2))


def test_pictures_are_stored_once_with_their_own_bytes(folder: Path) -> None:
    rows = [*good(), record(0, "train", id="again", question="and now?")]
    seeds, _ = run(write(folder, rows))
    archive = PictureArchive(next(folder.parent.glob("out*")) / "pictures.zip")
    assert seeds[0].pictures == seeds[-1].pictures
    for number in range(6):
        stored = archive.read(seeds[number].pictures[0])
        assert stored == (folder / f"p{number}.png").read_bytes()


def test_parquet_gives_the_same_seeds(folder: Path) -> None:
    rows = [
        {**row, "box": [1.0, 2.0, 30.0, 40.0], "choices": None, "answers": None}
        for row in good()
    ]
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, folder / "manifest.parquet")
    from_parquet, _ = run(folder / "manifest.parquet")
    from_jsonl, _ = run(write(folder, rows))
    assert from_parquet == from_jsonl
    assert from_parquet[0].cue is not None


def test_a_parquet_fault_names_its_row(folder: Path) -> None:
    rows = good()
    rows[3]["image"] = "nowhere.png"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "m.parquet")
    assert "m.parquet, row 4, field 'image': \"nowhere.png\" is missing" in refusal(
        folder / "m.parquet"
    )


def test_boxes_are_in_pixels_of_the_upright_picture(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: stored 64x48, seen 48x64
    Image.new("RGB", (64, 48), (1, 2, 3)).save(folder / "p0.jpg", exif=exif)
    rows = good()
    rows[0] |= {"image": "p0.jpg", "box": [0, 50, 10, 64]}
    seeds, _ = run(write(folder, rows))
    assert (seeds[0].pictures[0].width, seeds[0].pictures[0].height) == (48, 64)


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("missing picture", {"image": "gone.png"}, "'image': \"gone.png\" is missing; put"),
    ("leaves by ..", {"image": "../p0.png"}, "not a relative path inside"),
    ("absolute", {"image": "/etc/hostname"}, "not a relative path inside"),
    ("a folder", {"image": "."}, "is missing"),
    ("box outside", {"box": [0, 0, 65, 10]}, "[0.0, 0.0, 65.0, 10.0] reaches outside the"),
    ("box negative", {"box": [-1, 0, 6, 10]}, "reaches outside the picture of 64x48 pixels"),
    ("box swapped", {"box": [9, 0, 6, 10]}, "is empty; write [x1, y1, x2, y2] with x1 < x2"),
    ("normalised", {"box": [0.1, 0.1, 0.5, 0.5]}, "looks normalised; give pixels"),
    ("box short", {"box": [1, 2, 3]}, "field 'box': [1, 2, 3] is wrong: list should have"),
    ("box text", {"box": ["1", 2, 3, 4]}, "field 'box.0': \"1\" is wrong"),
    ("box bool", {"box": [True, 2, 3, 4]}, "field 'box.0': true is wrong"),
    ("both boxes", {"box": [1, 2, 3, 4], "boxes": [[1, 2, 3, 4]]}, "stands beside 'box'"),
    ("unknown field", {"bbox": [1]}, "field 'bbox': [1] is an unknown field; known: id, image"),
    ("number as answer", {"answer": 7}, "'answer': 7 is wrong: input should be a valid string"),
    ("empty question", {"question": " "}, "field 'question': \" \" is empty"),
    ("empty answer", {"answer": ""}, "field 'answer': \"\" is empty"),
    ("no answer", {"answer": None}, "field 'answer': null is missing"),
    ("two answers", {"answers": ["1"]}, "field 'answers': [\"1\"] stands beside 'answer'"),
    ("no picture", {"image": None}, "field 'image': null is missing"),
    ("bad split", {"split": "dev"}, "field 'split': \"dev\" is wrong"),
    ("double id", {"id": "q0"}, "field 'id': \"q0\" was used at manifest.jsonl, line 1"),
    ("id with a control sign", {"id": "q\0"}, "has signs that can't be printed"),
    ("too many pictures", {"image": None, "images": ["p1.png"] * 17}, "are too many"),
    ("frames of a picture", {"frames": [0]}, "are of no video"),
    ("a frame too far", {"is_video": True, "frames": [1]}, "are not among the 1 images"),
    ("a box in a video", {"is_video": True, "box": [1, 2, 3, 4]}, "name the frames"),
    ("not a choice", {"choices": ["x", "y"]}, "is none of the choices; write one of ['x', "),
    ("equal choices", {"choices": ["1", "1"]}, "are not different"),
    ("special token", {"question": "a <|im_end|>"}, "contains '<|im_end|>'"),
    ("call in answer", {"answer": "<tool_call>"}, "contains '<tool_call>'"),
    ("open brace", {"answer": "{1"}, "can't be read back from \\boxed{}"),
    ("two splits", {"image": "p4.png"}, "shares a picture with it"),
]


@pytest.mark.parametrize(
    ("fields", "text"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_fault_names_place_field_value_and_remedy(
    folder: Path, fields: dict[str, Any], text: str
) -> None:
    rows = good()
    rows[1] |= fields
    told = refusal(write(folder, rows))
    line = next(line for line in told.splitlines() if text in line)
    # Two records disagree about a split: the later one is named.
    assert "manifest.jsonl, line 2" in line or "line 5" in line
    assert ";" in line  # what to do about it


RAW_FAULTS = [
    (b"{not json}\n", "is not valid JSON"),
    (b"[1, 2]\n", "is not a JSON object"),
    (b'{"id": "a", "id": "b"}\n', "field 'id' is given twice"),
    (b'{"box": [NaN]}\n', "NaN is not a JSON number"),
    (b'{"question": "\xff"}\n', "is not UTF-8"),
    (b'{"image": "\\ud800.png", "question": "?", "answer": "1"}\n', "\\ud800.png"),
    (b'{"\\ud800": 1}\n', "\\ud800"),
    (b"[" * 100_000 + b"\n", "is not valid JSON"),
    (b'"' + b"x" * 1_000_001 + b'"\n', "is too long a line"),
]


@pytest.mark.parametrize(("line", "text"), RAW_FAULTS)
def test_a_line_that_is_no_record(folder: Path, line: bytes, text: str) -> None:
    path = write(folder, good())
    path.write_bytes(path.read_bytes() + line)
    told = refusal(path)
    assert text in told.encode().decode()
    assert "manifest.jsonl, line 7" in told
    assert len(told) < 1000


def test_a_byte_order_mark_and_blank_lines_are_no_faults(folder: Path) -> None:
    path = write(folder, good())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n  \n")
    assert len(run(path)[0]) == 6


def test_all_faults_are_told_together_and_bounded(folder: Path) -> None:
    rows = good()
    rows[0]["box"] = [0, 0, 99, 99]
    rows[2]["image"] = "gone.png"
    rows[4]["colour"] = "red"
    told = refusal(write(folder, rows))
    assert "3 problems" in told
    assert all(f"line {number}" in told for number in (1, 3, 5))
    many = [record(number, None, image="gone.png") for number in range(500)]
    told = refusal(write(folder, many))
    assert "500 problems" in told
    assert "... and 480 more" in told
    assert len(told) < 10_000


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside.png"
    outside.write_bytes(picture(1))
    os.symlink(outside, folder / "link.png")
    os.symlink(folder / "p1.png", folder / "inner.png")
    rows = good()
    rows[0]["image"] = "link.png"
    rows[1]["image"] = "inner.png"  # a link that stays inside is fine
    told = refusal(write(folder, rows))
    assert "leads out of the pictures folder" in told
    assert "1 problem" in told


@pytest.mark.parametrize(
    "data", [b"", b"hello", picture(5)[:90], picture(9, (400, 300), "JPEG")[:-200]]
)
def test_a_corrupt_picture_is_found_before_any_work(folder: Path, data: bytes) -> None:
    (folder / "p2.png").write_bytes(data)
    told = refusal(write(folder, good()))
    assert "line 3, field 'image': \"p2.png\" is not usable" in told
    assert not list(folder.parent.glob("out*/seeds.jsonl"))


def test_an_enormous_picture_is_refused(folder: Path) -> None:
    (folder / "p2.png").write_bytes(picture(3, (2000, 2000)))
    told = refusal(write(folder, good()), max_picture_pixels=1_000_000)
    assert "p2.png" in told
    assert "1,000,000" in told


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_an_empty_split_is_noted(folder: Path, missing: str) -> None:
    path = write(folder, [row for row in good() if row["split"] != missing])
    notes: list[str] = []

    class Listening(SilentProgress):
        def note(self, text: str) -> None:
            notes.append(text)

    (out := folder.parent / "out").mkdir()
    metrics = ingest.run(StageContext(config(path), {}, out, None, Listening()))
    assert metrics["by_split"][missing] == 0
    assert [note for note in notes if f"no seed is in {missing}" in note]


def test_files_that_are_no_manifest(folder: Path) -> None:
    assert "there is no manifest file" in refusal(folder / "gone.jsonl")
    (folder / "empty.jsonl").write_bytes(b"")
    assert "is empty" in refusal(folder / "empty.jsonl")
    (folder / "blank.jsonl").write_bytes(b"\n\n")
    assert "has no records" in refusal(folder / "blank.jsonl")
    (folder / "m.csv").write_text("id,image\n")
    assert "name it .jsonl or .parquet" in refusal(folder / "m.csv")
    (folder / "m.parquet").write_bytes(b"PAR1 not really")
    assert "not a readable Parquet file" in refusal(folder / "m.parquet")
    with pytest.raises(DataError, match=r"ingest\.manifest\.path is empty"):
        ingest.fingerprint(PipelineConfig(ingest=IngestConfig(sources=("manifest",))))
    told = refusal(write(folder, good()), pictures=str(folder / "nowhere"))
    assert "there is no pictures folder" in told


def test_the_fingerprint_follows_content_and_not_place(folder: Path, tmp_path: Path) -> None:
    path = write(folder, good())
    first = ingest.fingerprint(config(path))
    moved = tmp_path / "elsewhere"
    os.rename(folder, moved)
    assert ingest.fingerprint(config(moved / path.name)) == first
    (moved / "p3.png").write_bytes(picture(250))
    changed = ingest.fingerprint(config(moved / path.name))
    assert changed["manifest"]["manifest"] == first["manifest"]["manifest"]
    assert changed["manifest"]["pictures"] != first["manifest"]["pictures"]
    write(moved, [*good(), record(0, "train", id="new", question="why?")])
    last = ingest.fingerprint(config(moved / path.name))
    assert last["manifest"]["manifest"] != first["manifest"]["manifest"]


def test_ids_are_derived_from_content(folder: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "id"} for row in good()]
    seeds, _ = run(write(folder, rows))
    again, _ = run(write(folder, rows[::-1]))
    assert {seed.id for seed in seeds} == {seed.id for seed in again}
    assert len({seed.id for seed in seeds}) == 6
    assert "derived: the same record" in refusal(write(folder, [*rows, rows[0]]))
