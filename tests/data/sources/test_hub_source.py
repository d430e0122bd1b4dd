"""Local copies of datasets, as people have them: what is read, and what is refused."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixel_core.config import HubConfig, IngestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Seed, Split, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def picture(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    noise = random.Random(shade).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, noise).save(out, "PNG")
    return out.getvalue()


def config(copy: Path, **hub: Any) -> PipelineConfig:
    section = HubConfig.model_validate({"local": str(copy), **hub})
    return PipelineConfig(ingest=IngestConfig(sources=("hub",), hub=section))


def run(copy: Path, **hub: Any) -> tuple[list[Seed], dict[str, Any], Path]:
    out = copy.parent / f"out{len(list(copy.parent.iterdir()))}"
    out.mkdir()
    metrics = ingest.run(StageContext(config(copy, **hub), {}, out, None, SilentProgress()))
    return list(read_jsonl(out / "seeds.jsonl", Seed)), metrics, out


def refusal(copy: Path, **hub: Any) -> str:
    with pytest.raises(DataError) as caught:
        ingest.fingerprint(config(copy, **hub))
    return str(caught.value)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Parquet files as a dataset on the hub has them: nested columns, pictures inside."""
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets import Image as ImageFeature

    root = tmp_path / "copy"
    (root / "data").mkdir(parents=True)
    features = Features(
        {
            "qa": {"question": Value("string"), "answer": Value("int64")},
            "image": ImageFeature(),
            "topic": ClassLabel(names=["signs", "cards"]),
            "unused": Value("float64"),
        }
    )
    number = 0
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        rows = []
        for _ in range(count):
            rows.append(
                {
                    "qa": {"question": f"how many? ({number})", "answer": number},
                    "image": {"bytes": picture(number), "path": f"{number}.png"},
                    "topic": number % 2,
                    "unused": 0.5,
                }
            )
            number += 1
        dataset = Dataset.from_list(rows, features=features)
        dataset.to_parquet(str(root / "data" / f"{split}-00000-of-00001.parquet"))
    return root


FIELDS = {
    "question": "qa.question",
    "answer": "qa.answer",
    "image": "image",
    "kind": "topic",
}


def test_nested_columns_labels_splits_and_pictures_arrive(copy: Path) -> None:
    seeds, metrics, out = run(
        copy, fields=FIELDS, name="org/cards", revision=COMMIT, licence="cc-by-4.0"
    )
    assert metrics["by_split"] == {"train": 4, "validation": 2, "test": 3}
    by_question = {seed.question: seed for seed in seeds}
    seed = by_question["how many? (3)"]
    assert (seed.answers, seed.kind, seed.split) == (("3",), "cards", Split.TRAIN)
    assert PictureArchive(out / "pictures.zip").read(seed.pictures[0]) == picture(3)
    stated = seed.provenance
    assert (stated.source, stated.revision, stated.licence) == (
        "hub:org/cards",
        COMMIT,
        "cc-by-4.0",
    )
    assert len({seed.provenance.digest for seed in seeds}) == 9


def test_splits_are_mapped_and_the_others_left(copy: Path) -> None:
    seeds, _, _ = run(copy, fields=FIELDS, from_splits={"val": "test", "train": ""})
    assert len(seeds) == 6
    assert sum(seed.split is Split.TEST for seed in seeds) >= 2
    told = refusal(copy, fields=FIELDS, from_splits={"trial": "train"})
    assert "['trial']" in told
    assert "'val'" in told


def test_a_copy_is_the_same_wherever_it_lies(copy: Path, tmp_path: Path) -> None:
    first = ingest.fingerprint(config(copy, fields=FIELDS))
    copy.rename(tmp_path / "moved")
    assert ingest.fingerprint(config(tmp_path / "moved", fields=FIELDS)) == first
    assert ingest.fingerprint(config(tmp_path / "moved", fields=FIELDS | {"id": "qa.answer"}))


def test_missing_columns_are_told_once_with_those_there_are(copy: Path) -> None:
    told = refusal(copy, fields=FIELDS | {"question": "qa.text"})
    assert "['qa.text']" in told
    assert "['image', 'qa', 'topic', 'unused']" in told


def test_named_files_are_read_and_no_others(copy: Path) -> None:
    seeds, _, _ = run(copy, fields=FIELDS, files={"test": "data/t*.parquet"})
    assert len(seeds) == 7
    assert {seed.split for seed in seeds} == {Split.TEST}
    assert "leads out" in refusal(copy, files={"test": "../*.parquet"})
    assert "no file in" in refusal(copy, files={"test": "*.parquet"})
    assert "must all end in one of" in refusal(copy, files={"test": "data/*"})


def test_a_saved_dataset_is_a_copy_too(copy: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    saved = tmp_path / "saved"
    path = str(copy / "data" / "test-00000-of-00001.parquet")
    Dataset.from_parquet(path, cache_dir=str(tmp_path / "cache")).save_to_disk(saved)
    seeds, _, _ = run(saved, fields=FIELDS, files={"test": "*.arrow"})
    assert [seed.answers for seed in seeds] == [("6",), ("7",), ("8",)]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """JSON lines beside pictures."""
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    rows = []
    for number in range(6):
        (root / "images" / f"{number}.png").write_bytes(picture(number))
        rows.append({"question": "?", "answer": "1", "image": f"images/{number}.png"})
    rows[2]["image"] = "images/gone.png"
    rows[4]["answer"] = "<|im_end|>"
    write(root, rows)
    return root


def write(root: Path, rows: list[Any]) -> None:
    (root / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


LINES = {"files": {"train": "train.jsonl"}}


def test_faulty_records_are_all_told_or_all_counted(plain: Path) -> None:
    told = refusal(plain, **LINES)
    assert "2 problems" in told
    assert "train, row 3, field 'image': \"images/gone.png\" is missing" in told
    assert "train, row 5, field 'answer'" in told
    seeds, metrics, _ = run(plain, faulty="leave_out", **LINES)
    assert len(seeds) == 4
    assert metrics["left_out"]["hub_faulty"] == 2
    assert metrics["left_out"]["hub_faulty_image"] == 1


def test_pictures_outside_the_copy_are_not_read(plain: Path) -> None:
    outside = plain.parent / "secret.png"
    outside.write_bytes(picture(9))
    (plain / "images" / "link.png").symlink_to(outside)
    row = {"question": "?", "answer": "1"}
    named = ["../secret.png", str(outside), "images/link.png"]
    write(plain, [{**row, "image": name} for name in named])
    told = refusal(plain, **LINES)
    assert "3 problems" in told
    assert "leads out" in told


def test_a_dataset_page_cannot_name_files_elsewhere(plain: Path) -> None:
    elsewhere = plain.parent / "private.jsonl"
    elsewhere.write_text('{"question": "secret", "answer": "1", "image": "images/0.png"}\n')
    page = f"---\nconfigs:\n- config_name: default\n  data_files: {elsewhere}\n---\n"
    (plain / "README.md").write_text(page)
    told = refusal(plain)
    assert "which is outside of it" in told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "---\n: [\n---\n"),
        ("README.md", "---\nconfigs: 7\n---\n"),
        ("README.md", "---\nconfigs:\n- config_name: x\n  data_files: {}\n---\n"),
        ("plain.py", "raise SystemExit(3)"),
        ("train.jsonl", "{not json\n"),
        ("train.jsonl", ""),
    ],
)
def test_pages_scripts_and_tables_that_are_no_good(
    plain: Path, name: str, content: str
) -> None:
    (plain / name).write_text(content)
    assert str(plain) in refusal(plain)


def test_damaged_files_are_a_data_error(copy: Path) -> None:
    path = copy / "data" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:200])
    assert str(copy) in refusal(copy, fields=FIELDS)


@pytest.mark.parametrize(
    ("hub", "told"),
    [
        ({}, "both empty"),
        ({"name": "org/data"}, "git ls-remote"),
        ({"local": "/nowhere/at/all"}, "there is no folder"),
    ],
)
def test_settings_that_name_no_fixed_content_are_refused(
    hub: dict[str, Any], told: str
) -> None:
    settings = PipelineConfig(
        ingest=IngestConfig(sources=("hub",), hub=HubConfig.model_validate(hub))
    )
    with pytest.raises(DataError, match=told):
        ingest.fingerprint(settings)


def test_a_branch_is_no_revision() -> None:
    with pytest.raises(ValueError, match="may move"):
        HubConfig(name="org/data", revision="main")
