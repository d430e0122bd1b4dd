"""Pixel Reasoner's published files: trajectories, RL questions, zipped pictures and frames."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from pixel_core.config import HubConfig, IngestConfig, ManifestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.data.sources.original import question_of
from pixel_core.errors import DataError
from pixel_core.media import picture_files
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Seed, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

VCOT = (
    "\n\nGuidelines: Understand the given visual information and the user query. Reason with "
    "the visual information step by step, and put your final answer within \\boxed{}."
)
NOTOOL = "\n\nPlease reason step by step, and put your final answer within \\boxed{}."


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), random.Random(number).randbytes(3600)).save(out, "PNG")
    return out.getvalue()


def read(config: IngestConfig, folder: Path) -> tuple[list[Seed], dict[str, Any], Path]:
    out = folder / f"out{len(list(folder.iterdir()))}"
    out.mkdir()
    context = StageContext(PipelineConfig(ingest=config), {}, out, None, SilentProgress())
    metrics = ingest.run(context)
    return list(read_jsonl(out / "seeds.jsonl", Seed)), metrics, out


def manifest(path: Path, format: str, **more: Any) -> IngestConfig:
    section = ManifestConfig.model_validate({"path": str(path), "format": format, **more})
    return IngestConfig(sources=("manifest",), manifest=section)


def refusal(config: IngestConfig) -> str:
    with pytest.raises(DataError) as caught:
        ingest.fingerprint(PipelineConfig(ingest=config))
    return str(caught.value)


def packed(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture
def rl(tmp_path: Path) -> Path:
    """RL data as published: one Parquet file, images.zip and videos.zip with frames."""
    root = tmp_path / "rl"
    root.mkdir()
    # One zip holds its folder, the other the folder's content.
    packed(root / "images.zip", {f"images/{n}.png": picture(n) for n in range(3)})
    packed(root / "videos.zip", {f"v/{n}.png": picture(10 + n) for n in range(4)})
    rows = [
        {
            "question": f"<image>\nWhich one?\n(A) red\n(B) blue {n}",
            "image": [f"images/{n}.png"],
            "answer": ["B", "blue"],
            "is_video": False,
            "qid": f"SA1B-{n}",
        }
        for n in range(3)
    ]
    rows.append(
        {
            "question": "What happens?",
            "image": [f"./videos/v/{n}.png" for n in range(4)],
            "answer": ["a fall"],
            "is_video": True,
            "qid": "STAR-T1-7",
        }
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), root / "release.parquet")
    return root


def test_rl_records_with_zipped_pictures_and_frames(rl: Path, tmp_path: Path) -> None:
    config = manifest(rl / "release.parquet", "pixel_reasoner_rl", split="train")
    before = sorted(path.name for path in rl.rglob("*"))
    seeds, metrics, out = read(config, tmp_path)
    assert sorted(path.name for path in rl.rglob("*")) == before  # nothing was unpacked
    assert [seed.kind for seed in seeds] == ["SA1B", "SA1B", "SA1B", "STAR"]
    assert seeds[1].question == "Which one?\n(A) red\n(B) blue 1"
    assert seeds[1].answers == ("B", "blue")
    assert seeds[1].choices == ()
    video = seeds[3]
    assert (video.id, video.is_video, len(video.pictures)) == ("STAR-T1-7", True, 4)
    archive = PictureArchive(out / "pictures.zip")
    assert [archive.read(frame) for frame in video.pictures] == [
        picture(10 + n) for n in range(4)
    ]
    assert metrics["videos"] == 1
    again, _, _ = read(config, tmp_path)
    assert again == seeds


def test_unpacked_or_not_the_seeds_are_the_same(rl: Path, tmp_path: Path) -> None:
    config = manifest(rl / "release.parquet", "pixel_reasoner_rl", split="train")
    zipped, _, _ = read(config, tmp_path)
    first = ingest.fingerprint(PipelineConfig(ingest=config))
    for name, below in (("images", ""), ("videos", "videos")):
        zipfile.ZipFile(rl / f"{name}.zip").extractall(rl / below)
        (rl / f"{name}.zip").unlink()
    assert ingest.fingerprint(PipelineConfig(ingest=config)) == first
    assert read(config, tmp_path)[0] == zipped


def test_the_hub_reads_the_same_files(rl: Path, tmp_path: Path) -> None:
    section = HubConfig(local=str(rl), format="pixel_reasoner_rl", licence="apache-2.0")
    seeds, _, _ = read(IngestConfig(sources=("hub",), hub=section), tmp_path)
    assert [seed.id for seed in seeds] == ["SA1B-0", "SA1B-1", "SA1B-2", "STAR-T1-7"]
    assert {seed.provenance.licence for seed in seeds} == {"apache-2.0"}


def message_list(question: str, answer: str, media: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": [{"text": "You are a helpful assistant."}]},
        {"role": "user", "content": [media, {"text": question + VCOT}]},
        {"role": "assistant", "content": [{"text": "Let me look. <tool_call>{}</tool_call>"}]},
        {"role": "user", "content": [{"text": "the crop"}, {"image": "crops/0.png"}]},
        {"role": "assistant", "content": [{"text": f"It is \\boxed{{{answer}}}."}]},
    ]


def test_sft_trajectories_give_their_questions_once(tmp_path: Path) -> None:
    root = tmp_path / "sft"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.png").write_bytes(picture(number))
    lists = [
        message_list("How many?", "3", {"image": "0.png"}),
        message_list("How many?", "3", {"image": "0.png"}),  # another trajectory on it
        message_list("How many?", "3", {"image": "1.png"}),
        message_list("Where?", "left", {"video": ["2.png", "3.png"]}),
    ]
    path = root / "sft.jsonl"
    path.write_text("".join(json.dumps({"message_list": item}) + "\n" for item in lists))
    seeds, metrics, _ = read(manifest(path, "pixel_reasoner_sft", split="train"), tmp_path)
    assert [(seed.question, seed.answers) for seed in seeds] == [
        ("How many?", ("3",)),
        ("How many?", ("3",)),
        ("Where?", ("left",)),
    ]
    assert [len(seed.pictures) for seed in seeds] == [1, 1, 2]
    assert [seed.is_video for seed in seeds] == [False, False, True]
    assert metrics["left_out"] == {"manifest_repeated": 1}
    # ``datasets`` hands the same file's records on in another shape.
    section = HubConfig(local=str(root), format="pixel_reasoner_sft")
    hub, _, _ = read(IngestConfig(sources=("hub",), hub=section), tmp_path)
    assert [(seed.id, seed.question) for seed in hub] == [
        (seed.id, seed.question) for seed in seeds
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "is no list of messages"),
        ("{", "is no list of messages"),
        ([{"role": "user"}], "0.content: Field required"),
        ([{"role": "user", "content": 7}], "is no list of messages"),
        ([{"role": "user", "content": "?"}], "no assistant turn"),
        (message_list("?", "3", {"image": "0.png"})[:3], "without an answer in \\boxed{}"),
        (message_list("?", "3", {"text": "hm"}), "neither pictures nor a video"),
    ],
)
def test_what_is_no_trajectory_is_a_fault_of_its_record(
    tmp_path: Path, value: Any, told: str
) -> None:
    path = tmp_path / "sft.jsonl"
    path.write_text(json.dumps({"message_list": value}) + "\n")
    text = refusal(manifest(path, "pixel_reasoner_sft"))
    assert told in text
    assert "sft.jsonl, line 1, field 'message_list'" in text
    assert "1 problem:" in text


@pytest.mark.parametrize("suffix", [VCOT, NOTOOL, ""])
def test_guidelines_end_a_question(suffix: str) -> None:
    question = "Which of the Guidelines: is first?\n(A) one\n(B) two"
    assert question_of(question + suffix) == question


def hostile(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", picture(0))
        archive.writestr("../up.png", picture(1))
        archive.writestr("/abs.png", picture(1))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
        archive.writestr("bomb.png", bytes(2_000_000))
        archive.writestr("twice.png", picture(2))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("twice.png", picture(3))
        archive.writestr("broken.png", picture(4))
    data = path.read_bytes()
    start = data.index(b"broken.png") + len("broken.png") + 20
    path.write_bytes(data[:start] + b"\xff" * 8 + data[start + 8 :])


def test_a_hostile_zip_is_told_of_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MAX_FILE_BYTES", 1_000_000)
    root = tmp_path / "data"
    root.mkdir()
    hostile(root / "media.zip")
    names = ["../up.png", "/abs.png", "up.png", "link.png", "bomb.png", "twice.png"]
    names.append("broken.png")
    rows = [{"image": name, "question": "?", "answer": "1"} for name in ["good.png", *names]]
    path = root / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = refusal(manifest(path, "plain"))
    for line, reason in enumerate(
        (
            "not a relative path",
            "not a relative path",
            "is missing",
            "is a link in media.zip",
            "has 2000000 bytes in media.zip",
            "stands in media.zip twice",
            "is damaged in media.zip",
        ),
        2,
    ):
        assert any(f"line {line}," in part and reason in part for part in told.splitlines())
    assert "7 problems" in told
    assert sorted(item.name for item in tmp_path.rglob("*.png")) == []


def test_pictures_may_be_one_zip(tmp_path: Path) -> None:
    packed(tmp_path / "pictures.zip", {"a.png": picture(1), "clip.mp4": b"video"})
    path = tmp_path / "m.jsonl"
    row = {"image": "a.png", "question": "?", "answer": "1", "split": "train"}
    path.write_text(json.dumps(row) + "\n")
    config = manifest(path, "plain", pictures=str(tmp_path / "pictures.zip"))
    seeds, _, _ = read(config, tmp_path)
    assert (seeds[0].pictures[0].width, seeds[0].pictures[0].height) == (40, 30)
    path.write_text(json.dumps(row | {"image": "clip.mp4"}) + "\n")
    assert "is a video file, not a frame" in refusal(config)


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK nothing")
    path = tmp_path / "m.jsonl"
    path.write_text('{"image": "images/a.png", "question": "?", "answer": "1"}\n')
    assert "is not a readable zip" in refusal(manifest(path, "plain"))
