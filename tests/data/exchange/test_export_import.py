"""Out to a file of records and back: the same trajectories, the same pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exchanged import (
    ODD,
    all_trajectories,
    compact_config,
    export_job,
    full_config,
    run_stage,
    run_stages,
    seeds_of,
)
from PIL import Image

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.exchange.exporting import FORMATS, Format
from pixel_core.data.exchange.importing import ImportJob
from pixel_core.data.exchange.profile import write_profile
from pixel_core.data.sources import ingest
from pixel_core.data.synthesis import stage as synthesize
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Split, Trajectory, TrajectoryKind, read_jsonl
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.tokenizer import build_tokenizer
from pixel_core.training.sft import SftDataset
from pixel_core.workflow.stage import SilentProgress

QUIET = SilentProgress()


class Stops:
    """Progress that ends the work when it has been told so often, as Ctrl-C would."""

    def __init__(self, updates: int) -> None:
        self.left = updates
        self.notes: list[str] = []

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def config() -> PipelineConfig:
    return full_config()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, config: PipelineConfig) -> dict[str, Path]:
    return run_stages(tmp_path_factory.mktemp("run"), config)


@pytest.fixture(scope="module", params=FORMATS)
def exported(
    request: pytest.FixtureRequest,
    inputs: dict[str, Path],
    config: PipelineConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Format, Path]:
    folder = tmp_path_factory.mktemp("exports") / request.param
    export_job(inputs, config, request.param).run(folder, QUIET)
    return request.param, folder


def import_job(exported: tuple[Format, Path], config: PipelineConfig) -> ImportJob:
    format, folder = exported
    return ImportJob(folder / "trajectories.jsonl", format, folder, config.dialogue)


def lines(folder: Path) -> list[dict[str, Any]]:
    # Not splitlines: a text may hold other characters that end lines.
    text = (folder / "trajectories.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def test_what_comes_back_is_what_went_out(
    exported: tuple[Format, Path],
    inputs: dict[str, Path],
    config: PipelineConfig,
    tmp_path: Path,
) -> None:
    counts = import_job(exported, config).run(tmp_path / "in", QUIET)
    before = all_trajectories(inputs)
    assert {one.kind for one in before} >= {TrajectoryKind.RESELECT, TrajectoryKind.TEXT_ONLY}
    back = list(read_jsonl(tmp_path / "in" / "trajectories.jsonl", Trajectory))
    assert back == before
    assert counts["trajectories"] == len(before)
    assert counts["rejected"] == {}
    archive = PictureArchive(inputs["ingest"] / "pictures.zip")
    originals = {seed.id: seed for seed in seeds_of(inputs["ingest"])}
    returned = seeds_of(tmp_path / "in")
    assert {seed.id for seed in returned} == {one.seed_id for one in before}
    for seed in returned:
        original = originals[seed.id]
        assert seed.model_copy(update={"pictures": original.pictures}) == original
        for picture, was in zip(seed.pictures, original.pictures, strict=True):
            assert (tmp_path / "in" / picture.member).read_bytes() == archive.read(was)
    assert not list((tmp_path / "in").rglob("*.part"))


def test_crops_are_what_the_zoom_shows(
    inputs: dict[str, Path], config: PipelineConfig, tmp_path: Path
) -> None:
    """Against the picture itself: the pixels of a crop lie at the box the call names."""
    export_job(inputs, config, "original").run(tmp_path / "out", QUIET)
    seen = 0
    for record in lines(tmp_path / "out"):
        system, first, *rest = record["message_list"]
        assert (system["role"], first["role"]) == ("system", "user")
        assert "<tools>" in system["content"][0]["text"]
        if "video" in first["content"][0] or "video" in first["content"][1]:
            continue
        path = next(part["image"] for part in first["content"] if "image" in part)
        picture = Image.open(tmp_path / "out" / path).convert("RGB")
        for said, shown in zip(rest[::2], rest[1::2], strict=False):
            call = json.loads(
                said["content"][0]["text"].split("<tool_call>")[1].split("</tool_call>")[0]
            )
            text, image = shown["content"]
            crop = Image.open(tmp_path / "out" / image["image"])
            x1, y1, x2, _ = call["arguments"]["bbox_2d"]
            width, height = picture.size
            assert crop.width == pytest.approx((x2 - x1) * width, abs=2)
            region = picture.crop(
                (int(x1 * width), int(y1 * height), int(x1 * width) + 9, int(y1 * height) + 9)
            )
            assert crop.crop((0, 0, 9, 9)).tobytes() == region.tobytes()
            assert text["text"].startswith("Here is the region you asked for")
            seen += 1
    assert seen >= 5


def test_a_videos_frames_are_files_and_selected_ones_are_the_same(
    exported: tuple[Format, Path],
) -> None:
    format, folder = exported
    record = next(line for line in lines(folder) if "a video" in line["pixel_reasoner"])
    if format == "original":
        asked = record["message_list"][1]["content"]
        frames = next(part["video"] for part in asked if "video" in part)
        returned = [
            part["image"]
            for message in record["message_list"][2:]
            for part in message["content"]
            if "image" in part
        ]
    else:
        frames, returned = record["images"][:6], record["images"][6:]
        contents = [message["content"] for message in record["messages"]]
        assert sum(content.count("<image>") for content in contents) == len(record["images"])
        assert contents[1].count("<image>") == 6, "the question's own <image> is kept apart"
    assert len(frames) == 6
    assert frames[3] == returned[-1]
    assert set(returned) < set(frames)
    assert all((folder / path).is_file() for path in frames)


def test_an_interrupted_export_goes_on_and_ends_the_same(
    inputs: dict[str, Path],
    config: PipelineConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pixel_core.data.exchange.exporting._REPORT_EVERY", 1)
    job = export_job(inputs, config, "chat")
    job.run(tmp_path / "whole", QUIET)
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        job.run(cut, Stops(5))
    assert not (cut / "trajectories.jsonl").exists()
    part = cut / "trajectories.jsonl.part"
    part.write_bytes(part.read_bytes() + b'{"torn":')  # as a kill would leave it
    goes_on = Stops(0)
    job.run(cut, goes_on)
    assert goes_on.notes[0].startswith("going on after 5 trajectories")
    files = sorted(path.relative_to(cut) for path in cut.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "whole")
        for path in (tmp_path / "whole").rglob("*")
        if path.is_file()
    )
    for file in files:
        assert (cut / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    again = Stops(0)
    job.run(cut, again)
    assert "complete already" in again.notes[0]


def test_an_interrupted_import_goes_on_and_ends_the_same(
    exported: tuple[Format, Path],
    config: PipelineConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pixel_core.data.exchange.importing._REPORT_EVERY", 1)
    job = import_job(exported, config)
    whole = job.run(tmp_path / "whole", QUIET)
    with pytest.raises(KeyboardInterrupt):
        job.run(tmp_path / "cut", Stops(4))
    goes_on = Stops(0)
    assert job.run(tmp_path / "cut", goes_on) == whole
    assert goes_on.notes[0].startswith("going on after 4 records")
    for file in ("trajectories.jsonl", "seeds.jsonl", "import.json"):
        assert (tmp_path / "cut" / file).read_bytes() == (
            tmp_path / "whole" / file
        ).read_bytes()


def test_nothing_of_anybody_elses_is_overwritten(
    inputs: dict[str, Path], config: PipelineConfig, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty; choose another"):
        export_job(inputs, config, "chat").run(tmp_path / "full", QUIET)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    export_job(inputs, config, "chat").run(tmp_path / "out", QUIET)
    with pytest.raises(DataError, match="holds another export"):
        export_job(inputs, config, "original").run(tmp_path / "out", QUIET)


def test_an_imported_folder_is_trained_on(
    exported: tuple[Format, Path],
    inputs: dict[str, Path],
    config: PipelineConfig,
    tmp_path: Path,
) -> None:
    """As ``pixel run`` does it: ingest, annotate and synthesize take it, tuning reads it."""
    import_job(exported, config).run(tmp_path / "in", QUIET)
    profile = write_profile(tmp_path / "in", config.dialogue)
    taken = load_profile(str(profile))
    assert taken.dialogue == config.dialogue
    again = {name: tmp_path / name for name in ("ingest", "annotate", "synthesize")}
    for name, run in (
        ("ingest", ingest.run),
        ("annotate", annotate.run),
        ("synthesize", synthesize.run),
    ):
        again[name].mkdir()
        metrics = run_stage(name, run, again, taken)
    before = all_trajectories(inputs)
    after = list(read_jsonl(again["synthesize"] / "trajectories.jsonl", Trajectory))
    assert sorted(after, key=lambda one: one.id) == sorted(before, key=lambda one: one.id)
    assert metrics["imported"] == {"trajectories": len(before), "without_seed": 0}
    empty = tmp_path / "text_only"
    empty.mkdir()
    (empty / "trajectories.jsonl").touch()
    prompts = Renderer(
        config.dialogue, Vocabulary.of(build_tokenizer(compact_config().dialogue))
    )
    trained = SftDataset({**again, "text_only": empty}, prompts)
    original = SftDataset({**inputs, "text_only": empty}, prompts)
    place = {one.id: number for number, one in enumerate(after)}
    for number, one in enumerate(before[:-1]):
        mine, theirs = trained.transcript(place[one.id]), original.transcript(number)
        assert (mine.tokens, mine.weights) == (theirs.tokens, theirs.weights)
    assert ODD in {turn.text for one in after for turn in one.turns}


def test_the_compact_prompt_shows_pictures_without_words(tmp_path: Path) -> None:
    config = compact_config()
    made = run_stages(tmp_path / "run", config)
    export_job(made, config, "chat").run(tmp_path / "out", QUIET)
    first = lines(tmp_path / "out")[0]["messages"]
    assert first[0]["role"] == "user"
    assert first[0]["content"].startswith("<image>")
    assert {message["content"] for message in first[2::2]} <= {"<image>"}
    job = import_job(("chat", tmp_path / "out"), config)
    assert job.run(tmp_path / "in", QUIET)["rejected"] == {}


def test_what_was_changed_outside_is_left_out_by_name(
    exported: tuple[Format, Path], config: PipelineConfig, tmp_path: Path
) -> None:
    format, folder = exported
    records = lines(folder)
    key, content = (
        ("message_list", "content") if format == "original" else ("messages", "content")
    )
    next(record for record in records[6:] if len(record[key]) > 5)[key].pop()
    records[1]["pixel_reasoner"] = "{}"
    records[2]["pixel_reasoner"] = '{"version": 1'
    records[3] = ["no record"]
    records[4][key][-1][content] = "no box" if format == "chat" else [{"text": "no box"}]
    records.append(records[5])
    extra = json.loads(records[6]["pixel_reasoner"])
    extra["seed"]["split"] = "test"
    records[6]["pixel_reasoner"] = json.dumps(extra)
    file = tmp_path / "edited.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records) + "[1,\n")
    job = ImportJob(file, format, folder, config.dialogue)
    counts = job.run(tmp_path / "in", QUIET)
    assert counts["rejected"] == {"extra_differs": 3, "not_a_record": 2, "repeated": 1}
    # An edited text is taken as it is now.
    back = list(read_jsonl(tmp_path / "in" / "trajectories.jsonl", Trajectory))
    assert "no box" in {turn.text for one in back for turn in one.turns}
    assert {seed.split for seed in seeds_of(tmp_path / "in")} == {Split.TRAIN}


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/hostname", "link/secret.png", "gone.png"]
)
def test_no_path_leads_out_of_the_folder(
    inputs: dict[str, Path], config: PipelineConfig, tmp_path: Path, path: str
) -> None:
    export_job(inputs, config, "chat").run(tmp_path / "out", QUIET)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    records = lines(tmp_path / "out")[:2]
    records[0]["images"][0] = path
    file = tmp_path / "out" / "edited.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    job = ImportJob(file, "chat", tmp_path / "out", config.dialogue)
    assert job.run(tmp_path / "in", QUIET)["rejected"] == {"picture_path": 1}
    kept = [file.read_bytes() for file in (tmp_path / "in").rglob("*.png")]
    assert b"secret" not in kept
