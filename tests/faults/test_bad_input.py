"""A user's faulty dataset, met at the command line: told at once, before any work."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from flows.cli.main import app

SPLITS = ("train", "train", "validation", "test")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Four sound records with their pictures of 64x48 pixels."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for number, split in enumerate(SPLITS):
        Image.new("RGB", (64, 48), (40 * number, 10, 200)).save(folder / f"p{number}.png")
        rows.append(
            {
                "image": f"p{number}.png",
                "question": "which digit is on the sign?",
                "answer": str(number),
                "split": split,
                "box": [10, 10, 40, 40],
            }
        )
    return write(folder / "manifest.jsonl", rows)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def change(manifest: Path, line: int, **fields: Any) -> None:
    rows = [json.loads(text) for text in manifest.read_text().splitlines()]
    rows[line - 1] |= fields
    write(manifest, rows)


def header_of_an_enormous_png(path: Path, side: int) -> None:
    """A true PNG header that claims ``side`` times ``side`` pixels, and no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def missing_picture(manifest: Path) -> None:
    (manifest.parent / "p1.png").unlink()


def box_outside(manifest: Path) -> None:
    change(manifest, 2, box=[10, 10, 65, 40])


def unknown_field(manifest: Path) -> None:
    change(manifest, 2, bbox=[10, 10, 40, 40])


def empty_split(manifest: Path) -> None:
    change(manifest, 4, split="train")


def corrupt_picture(manifest: Path) -> None:
    picture = manifest.parent / "p1.png"
    picture.write_bytes(picture.read_bytes()[:60])


def enormous_picture(manifest: Path) -> None:
    header_of_an_enormous_png(manifest.parent / "p1.png", 12_000)


def decompression_bomb(manifest: Path) -> None:
    header_of_an_enormous_png(manifest.parent / "p1.png", 60_000)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return tmp_path / "store"


def run(manifest: Path, store: Path, *arguments: str) -> Result:
    here = ["--store", str(store), "--set", f"ingest.manifest.path={manifest}"]
    return CliRunner().invoke(app, ["run", "--profile", "example", *here, *arguments])


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (missing_picture, ["line 2", '"p1.png" is missing', "put the picture at"]),
        (box_outside, ["line 2", "[10.0, 10.0, 65.0, 40.0]", "64x48", "give pixels"]),
        (unknown_field, ["line 2", "'bbox'", "unknown field", "known: ", "boxes"]),
        (corrupt_picture, ["line 2", "p1.png", "replace the picture"]),
        (enormous_picture, ["line 2", "p1.png", "12000 x 12000", "100,000,000", "smaller"]),
        (decompression_bomb, ["line 2", "p1.png", "3600000000 pixels", "make it smaller"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_faulty_dataset_is_refused_before_any_work(
    spoil: Any, named: list[str], manifest: Path, store: Path
) -> None:
    spoil(manifest)
    refused = run(manifest, store)
    assert refused.exit_code == 2, refused.output
    assert str(manifest) in refused.stderr
    for words in named:
        assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not store.exists()
    assert not (store.parent / "prefect").exists(), "Prefect was started"


@pytest.mark.ci
def test_a_dataset_without_test_questions_ends_before_anything_is_trained(
    manifest: Path, store: Path
) -> None:
    change(manifest, 4, split="train")
    refused = run(manifest, store)
    assert refused.exit_code == 2, refused.output
    for words in ("no test question", "test: 0", "--until rl"):
        assert words in refused.stderr
    made = {path.name for path in (store / "artifacts").iterdir()}
    assert made == {"ingest"}


def test_a_sound_dataset_is_planned(manifest: Path, store: Path) -> None:
    """What the cases above start from has no other fault."""
    here = ["--store", str(store), "--set", f"ingest.manifest.path={manifest}"]
    planned = CliRunner().invoke(app, ["plan", "--profile", "example", *here])
    assert planned.exit_code == 0, planned.output


def test_a_bad_value_in_a_profile_file_is_named(
    manifest: Path, store: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'extends = "example"\n[ingest.manifest.splits]\ntest = 1.5\n', encoding="utf-8"
    )
    refused = CliRunner().invoke(app, ["run", "--profile", str(profile), "--store", str(store)])
    assert refused.exit_code == 2
    for words in (str(profile), "ingest.manifest.splits.test = 1.5", "less than"):
        assert words in refused.stderr
    assert not store.exists()
