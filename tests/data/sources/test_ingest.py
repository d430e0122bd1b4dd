"""Several sources in one dataset, and what a run asks of a manifest again and again."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixel_core.config import IngestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.data.sources.ingest import SharedArchive
from pixel_core.data.sources.source import FoundSeed
from pixel_core.data.sources.spool import Spool
from pixel_core.errors import DataError
from pixel_core.media import picture_facts, picture_files
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Picture, Provenance, Seed, Split, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

DRAWN = {"train": 6, "validation": 2, "test": 3}


def image(number: int, side: int = 96) -> Image.Image:
    """A scene of its own: coloured boxes on a noisy ground."""
    rng = random.Random(number)
    scene = Image.frombytes("RGB", (8, 8), rng.randbytes(192)).resize((side, side))
    for _ in range(6):
        x, y = rng.randrange(side - 24), rng.randrange(side - 24)
        scene.paste(tuple(rng.randbytes(3)), (x, y, x + rng.randrange(8, 24), y + 16))
    return scene


def encoded(picture: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, one question on each, no splits named."""
    root = tmp_path / "data"
    root.mkdir()
    for number in range(6):
        (root / f"{number}.png").write_bytes(encoded(image(number)))
    rows = [
        {"id": f"q{number}", "image": f"{number}.png", "question": "?", "answer": "1"}
        for number in range(6)
    ]
    write(root, rows)
    return root


def config(folder: Path, *sources: str, **more: Any) -> PipelineConfig:
    section = {
        "sources": sources or ("manifest",),
        "drawn": DRAWN,
        "manifest": {"path": str(folder / "manifest.jsonl")},
        **more,
    }
    return PipelineConfig(ingest=IngestConfig.model_validate(section))


def run(settings: PipelineConfig, out: Path) -> tuple[list[Seed], dict[str, Any]]:
    out.mkdir()
    metrics = ingest.run(StageContext(settings, {}, out, None, SilentProgress()))
    assert sorted(path.name for path in out.iterdir()) == ["pictures.zip", "seeds.jsonl"]
    return list(read_jsonl(out / "seeds.jsonl", Seed)), metrics


def test_sources_follow_one_another(folder: Path, tmp_path: Path) -> None:
    photos = {"path": str(folder), "min_pixels": 1}
    drawn, _ = run(config(folder, "drawn"), tmp_path / "a")
    both, metrics = run(
        config(folder, "drawn", "manifest", "photos", photos=photos), tmp_path / "b"
    )
    assert both[: len(drawn)] == drawn
    assert metrics["by_source"] == {"drawn": 11, "manifest": 6, "photos": 6}
    assert metrics["without_question"] == 6
    assert metrics["by_kind"]["train"]["photo"] == 6
    archive = PictureArchive(tmp_path / "b" / "pictures.zip")
    for seed in both:
        archive.load(seed.pictures[0])
    again, _ = run(config(folder, "drawn", "manifest", "photos", photos=photos), tmp_path / "c")
    assert again == both


def test_the_fingerprint_has_a_part_for_each_source(folder: Path) -> None:
    alone = ingest.fingerprint(config(folder, "manifest"))
    both = ingest.fingerprint(config(folder, "drawn", "manifest"))
    assert both == alone
    assert alone["manifest"]["records"] == 6


def test_an_id_that_another_source_has_gets_its_sources_name(
    folder: Path, tmp_path: Path
) -> None:
    taken = "drawn-train-000001"
    rows = [
        {"id": id, "image": "0.png", "question": "?", "answer": "1", "split": "train"}
        for id in (taken, "free")
    ]
    write(folder, rows)
    seeds, _ = run(config(folder, "drawn", "manifest"), tmp_path / "a")
    assert [seed.id for seed in seeds][-2:] == [f"manifest-{taken}", "free"]
    assert seeds[-2].provenance.source == "manifest"
    write(folder, [*rows, {**rows[0], "id": f"manifest-{taken}", "question": "!"}])
    with pytest.raises(DataError, match=f"used twice: '{taken}'"):
        run(config(folder, "drawn", "manifest"), tmp_path / "b")


def test_near_duplicates_stay_in_one_split(folder: Path, tmp_path: Path) -> None:
    """The same scene, encoded and sized anew: a stated test pulls it out of training."""
    again = image(0).resize((80, 80))
    (folder / "again.jpg").write_bytes(encoded(again, "JPEG", quality=80))
    (folder / "other.jpg").write_bytes(encoded(image(3).resize((80, 80)), "JPEG"))
    ask = {"question": "?", "answer": "1"}
    named = {"0.png": "test", "again.jpg": "train", "3.png": "test", "1.png": "train"}
    rows = [{"id": name, "image": name, "split": split, **ask} for name, split in named.items()]
    rows.append({"id": "by id", "image": "other.jpg", **ask})
    write(folder, rows)
    seeds, metrics = run(config(folder), tmp_path / "a")
    split = {seed.id: seed.split for seed in seeds}
    assert "again.jpg" not in split  # stated to be train, like a test picture
    assert split["0.png"] == split["3.png"] == split["by id"] == Split.TEST
    assert split["1.png"] == Split.TRAIN
    assert metrics["left_out"] == {"near_duplicate": 1}
    off = {"near_duplicates": {"enabled": False}}
    assert len(run(config(folder, **off), tmp_path / "b")[0]) == 5


def test_no_seed_at_all_is_an_error(folder: Path, tmp_path: Path) -> None:
    write(folder, [])
    (folder / "manifest.jsonl").write_text("\n")
    with pytest.raises(DataError, match="has no records"):
        run(config(folder), tmp_path / "a")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of pictures as they are decoded; nothing is remembered yet, and files count
    as old enough at once."""
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(picture_files, "SETTLED_S", -1.0)
    names: list[str] = []
    load: Callable[..., Any] = picture_facts.load_picture

    def listening(data: bytes, **how: Any) -> Image.Image:
        names.append(how["name"])
        return load(data, **how)

    monkeypatch.setattr(picture_facts, "load_picture", listening)
    return names


def test_what_has_not_changed_is_not_decoded_again(
    folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    settings = config(folder)
    first = ingest.fingerprint(settings)
    assert sorted(decoded) == [f"{number}.png" for number in range(6)]
    decoded.clear()
    assert ingest.fingerprint(settings) == first
    run(settings, tmp_path / "a")
    assert decoded == []
    # A new record costs its own picture.
    (folder / "new.png").write_bytes(encoded(image(9)))
    with (folder / "manifest.jsonl").open("a") as lines:
        lines.write('{"image": "new.png", "question": "?", "answer": "1"}\n')
    assert ingest.fingerprint(settings) != first
    assert decoded == ["new.png"]


def _same_size(folder: Path) -> None:
    """Other content of the same length and modification time, as a careful copy makes it."""
    path = folder / "2.png"
    before = path.stat()
    path.write_bytes(encoded(image(22), "PPM"))
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _relinked(folder: Path) -> None:
    (folder / "2.png").unlink()
    (folder / "2.png").symlink_to("3.png")


def _another_answer(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").open()]
    rows[0]["answer"] = "2"
    write(folder, rows)


@pytest.mark.parametrize("change", [_same_size, _relinked, _another_answer])
def test_every_change_is_seen(
    folder: Path, decoded: list[str], change: Callable[[Path], None]
) -> None:
    (folder / "2.png").write_bytes(encoded(image(2), "PPM"))  # any two have one length
    first = ingest.fingerprint(config(folder))
    change(folder)
    assert ingest.fingerprint(config(folder)) != first


def test_a_file_beside_a_zip_takes_its_members_place(
    folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("zipped.png", encoded(image(7)))
    row = {"id": "z", "image": "zipped.png", "question": "?", "answer": "1"}
    write(folder, [row])
    first = ingest.fingerprint(config(folder))
    assert ingest.fingerprint(config(folder)) == first
    assert decoded == ["zipped.png"]
    (folder / "zipped.png").write_bytes(encoded(image(8)))
    assert ingest.fingerprint(config(folder)) != first


def test_a_young_file_is_never_taken_as_known(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "SETTLED_S", 3600.0)
    first = ingest.fingerprint(config(folder))
    assert ingest.fingerprint(config(folder)) == first
    assert len(decoded) == 12


@pytest.mark.parametrize("damage", [b"", b"[]\n", b'"x"\n{"fates": 1}\n', b"\xff\xfe"])
def test_a_damaged_cache_costs_time_only(
    folder: Path, tmp_path: Path, decoded: list[str], damage: bytes
) -> None:
    first = ingest.fingerprint(config(folder))
    for path in (tmp_path / "cache" / "checked").iterdir():
        path.write_bytes(damage)
    assert ingest.fingerprint(config(folder)) == first


def test_a_cache_that_cannot_be_written_costs_time_only(
    folder: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "file"))
    first = ingest.fingerprint(config(folder))
    assert ingest.fingerprint(config(folder)) == first


def test_an_edit_between_check_and_writing_is_refused(
    folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    from pixel_core.data.sources.source import open_source

    source = open_source("manifest", config(folder).ingest)
    source.fingerprint()
    (folder / "4.png").unlink()
    with (
        SharedArchive(tmp_path / "a.zip") as archive,
        pytest.raises(DataError, match=r"4\.png"),
    ):
        list(source.seeds(archive))


def found(id: str, split: Split = Split.TRAIN) -> FoundSeed:
    picture = Picture(member="a.png", width=1, height=1, sha256="0" * 64)
    seed = Seed(
        id=id,
        split=split,
        question="?",
        answers=("1",),
        pictures=(picture,),
        provenance=Provenance(source="test"),
    )
    return FoundSeed(seed, False)


def test_a_source_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool.begin("pages")
        for id in ("a", "b", "a"):
            spool.add(found(id))
        with pytest.raises(DataError, match="1 seed ids are used twice: 'a'"):
            spool.new_ids()
    assert not (tmp_path / "spool").exists()


def test_one_picture_of_two_sources_is_stored_once(tmp_path: Path) -> None:
    with SharedArchive(tmp_path / "a.zip") as archive:
        first = archive.add("a.png", b"content", 1, 1)
        assert archive.add("a.png", b"content", 1, 1) == first
        with pytest.raises(DataError, match="is taken"):
            archive.add("a.png", b"another", 1, 1)
    assert PictureArchive(tmp_path / "a.zip").read(first) == b"content"
