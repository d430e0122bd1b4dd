"""What a record says that an operation showed is held against what it shows."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from exchanged import all_trajectories, export_job, full_config, run_stages
from PIL import Image

from pixel_core.config import DialogueConfig, FramesConfig, ZoomConfig
from pixel_core.data.exchange.exporting import FORMATS, Format
from pixel_core.data.exchange.importing import ImportJob
from pixel_core.data.exchange.portable import Rejected
from pixel_core.data.exchange.told_results import check_zoom
from pixel_core.records import FrameCue, Seed, Trajectory, read_jsonl
from pixel_core.rollout.operations import show
from pixel_core.workflow.stage import SilentProgress

QUIET = SilentProgress()
DIALOGUE = DialogueConfig(zoom=ZoomConfig(padding=0.1), frames=FramesConfig(enabled=True))
SIZE = (560, 448)
#: Widened by a tenth: from 0.1 to 0.9 and 0.2 to 0.8, so 448 x 268.8 pixels of the picture.
BOX = [0.2, 0.3, 0.8, 0.7]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.linear_gradient("L").resize(SIZE).save(tmp_path / "a.png")
    for number in range(9):
        Image.new("RGB", (224, 168), (25 * number,) * 3).save(tmp_path / f"{number}.png")
    return tmp_path


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def record(asked: dict[str, Any], *turns: tuple[str, str]) -> dict[str, Any]:
    """``turns``: what is said, and what comes back."""
    messages = [{"role": "user", "content": [asked, {"text": "What is it?"}]}]
    for said, back in turns:
        messages.append({"role": "assistant", "content": [{"text": said}]})
        messages.append({"role": "user", "content": [{"text": back}]})
    messages.append({"role": "assistant", "content": [{"text": "\\boxed{it}"}]})
    return {"message_list": messages}


def imported(folder: Path, records: list[dict[str, Any]]) -> tuple[int, dict[str, int]]:
    path = folder / "data.json"
    path.write_text(json.dumps(records))
    counts = ImportJob(path, "original", folder, DIALOGUE).run(folder / "in", QUIET)
    return counts["trajectories"], counts["rejected"]


def zoomed(back: str, box: list[float] = BOX) -> dict[str, Any]:
    said = call("crop_image_normalized", bbox_2d=box, target_image=1)
    return record({"image": "a.png"}, (said, back))


GOOD = zoomed("\nHere is the cropped image:", [0.1, 0.1, 0.6, 0.6])


@pytest.mark.parametrize(
    "back",
    [
        "",
        "the crop",
        "\nHere is the cropped image (Image Size: 448x269):",  # the cut itself
        "\nHere is the cropped image (Image Size: 448x268):",  # rounded otherwise
        "\nHere is the cropped image (Image Size: 448x280):",  # as it is shown
        "\nHere is the cropped image (Image Size: 588x364):",  # under evaluation's budget
        "Here is the region you asked for, 448 x 280 pixels as shown. It is picture 2.",
        "Image size 336 × 179",  # a cut that was not widened
    ],
)
def test_a_size_that_the_crop_has_is_taken(folder: Path, back: str) -> None:
    assert imported(folder, [zoomed(back), GOOD]) == (2, {})


@pytest.mark.parametrize(
    "back",
    [
        "\nHere is the cropped image (Image Size: 112x112):",
        "\nHere is the cropped image (Image Size: 560x448):",
        "\nHere is the cropped image (Image Size: 280x448):",
        "\nHere is the cropped image (Image Size: 452x269):",
        "\nHere is the cropped image (Image Size: 0x0):",
        "\nExecution error:\nCropped image is too small: 2x1\n",
    ],
)
def test_what_the_crop_is_not_is_left_out_and_counted(folder: Path, back: str) -> None:
    assert imported(folder, [zoomed(back), GOOD]) == (1, {"replay_differs": 1})


def selected(back: str) -> dict[str, Any]:
    said = call("select_frames", target_frames=[5, 6, 7])
    return record({"video": [f"{number}.png" for number in range(9)]}, (said, back))


@pytest.mark.parametrize(
    ("back", "reason"),
    [
        ("\nHere are the selected frames (Frame Size: 224x168, Numbered 1 to 3):", None),
        ("\nHere are the selected frames (Frame Size: 224x168):", None),
        ("\nHere are the selected frames (Frame Size: 224x168, Numbered 1 to 4):", "replay"),
        ("\nHere are the selected frames (Frame Size: 280x168, Numbered 1 to 3):", "replay"),
        ("\nExecution error:\nThere are 4 frames\n", "replay"),
    ],
)
def test_frames_have_the_size_and_number_that_is_said(
    folder: Path, back: str, reason: str | None
) -> None:
    counts = imported(folder, [selected(back), GOOD])
    assert counts == ((2, {}) if reason is None else (1, {"replay_differs": 1}))


def test_a_selected_frame_is_zoomed_into_where_the_original_did(folder: Path) -> None:
    one = selected("")["message_list"]
    said = call("crop_image_normalized", bbox_2d=[0.1, 0.1, 0.9, 0.9], target_image=2)
    back = {"role": "user", "content": [{"text": "(Image Size: 224x168)"}]}
    zoom = [{"role": "assistant", "content": [{"text": said}]}, back]
    assert imported(folder, [{"message_list": one[:-1] + zoom + one[-1:]}]) == (1, {})
    (seed,) = read_jsonl(folder / "in" / "seeds.jsonl", Seed)
    assert seed.cue == FrameCue(frames=(4,))  # the fifth frame, counted from 0
    (made,) = read_jsonl(folder / "in" / "trajectories.jsonl", Trajectory)
    assert '"target_image": 10' in made.turns[1].text  # after nine frames, the first added


@pytest.mark.parametrize("format", FORMATS)
def test_our_own_records_are_replayed_too(tmp_path: Path, format: Format) -> None:
    config = full_config()
    inputs = run_stages(tmp_path / "run", config)
    out = tmp_path / "out"
    export_job(inputs, config, format).run(out, QUIET)
    text = (out / "trajectories.jsonl").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line]
    changed = next(n for n, line in enumerate(lines) if "Here is the region" in line)
    lines[changed] = lines[changed].replace("the region you asked for, ", "the region, 9", 1)
    moved = next(n for n, line in enumerate(lines) if n != changed and '\\"box\\"' in line)
    values = json.loads(lines[moved])
    extra = json.loads(values["pixel_reasoner"])
    extra["seed"]["cue"]["box"]["x2"] = 10_000
    values["pixel_reasoner"] = json.dumps(extra)
    lines[moved] = json.dumps(values)
    (out / "edited.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = ImportJob(out / "edited.jsonl", format, out, config.dialogue)
    counts = job.run(tmp_path / "in", QUIET)
    assert counts["rejected"] == {"extra_differs": 1, "replay_differs": 1}
    assert counts["trajectories"] == len(all_trajectories(inputs)) - 2


def test_a_picture_that_no_model_is_shown_is_left_out(folder: Path) -> None:
    Image.new("RGB", (2000, 8)).save(folder / "strip.png")
    strip = record({"image": "strip.png"})
    assert imported(folder, [strip, GOOD]) == (1, {"picture_shape": 1})


@pytest.mark.parametrize("format", FORMATS)
def test_our_records_without_our_key_keep_every_call(tmp_path: Path, format: Format) -> None:
    """As another program hands them on: the same calls, to the last digit, and their crops."""
    config = full_config()
    inputs = run_stages(tmp_path / "run", config)
    out = tmp_path / "out"
    export_job(inputs, config, format).run(out, QUIET)
    lines = []
    for line in (out / "trajectories.jsonl").read_text(encoding="utf-8").split("\n"):
        if "zoom_in" in line or "select_frames" in line:
            values = json.loads(line)
            del values["pixel_reasoner"]
            lines.append(json.dumps(values) + "\n")
    (out / "plain.jsonl").write_text("".join(lines))
    job = ImportJob(out / "plain.jsonl", format, out, config.dialogue)
    counts = job.run(tmp_path / "in", QUIET)
    refused = {"no_answer", "repeated", "bad_call"}  # a chat's frames are pictures, not a video
    assert set(counts["rejected"]) <= refused
    before = {turn.text for one in all_trajectories(inputs) for turn in one.turns}
    made = list(read_jsonl(tmp_path / "in" / "trajectories.jsonl", Trajectory))
    calls = {turn.text for one in made for turn in one.turns if "<tool_call>" in turn.text}
    assert len(calls) >= 3
    assert calls <= before


def test_a_text_of_many_sizes_takes_no_time() -> None:
    target = show(Image.new("RGB", (560, 448)), 0, DialogueConfig().picture)
    parts = (Fraction(0), Fraction(0), Fraction(1, 2), Fraction(1, 2))
    told = " ".join(f"{28 * n}x{28 * (n % 7 + 50)}" for n in range(100, 8000))
    with pytest.raises(Rejected):
        check_zoom(told, parts, target, DialogueConfig())
