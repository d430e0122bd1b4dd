"""A small copy of MVBench in its two published forms: real videos, frames and zips."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from real_videos import numbered, write_video

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.evaluation.benchmarks.mvbench import MVBenchReader
from pixel_core.evaluation.benchmarks.mvbench_tasks import TASKS
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import Layout

LAYOUT = Layout(
    "pixel_core.evaluation.benchmarks.mvbench:MVBenchReader", dataset="OpenGVLab/MVBench"
)


def row(video: str, **more: Any) -> dict[str, Any]:
    return {
        "video": video,
        "question": "What happened after the person took the food?",
        "candidates": ["Ate the medicine.", "Tidied up the blanket.", "Took the box."],
        "answer": "Took the box.",
        **more,
    }


def write_rows(root: Path, rows: Mapping[str, list[Any]]) -> None:
    (root / "json").mkdir(parents=True, exist_ok=True)
    for task, questions in rows.items():
        (root / "json" / f"{task}.json").write_text(json.dumps(questions))


def write_main(root: Path) -> Path:
    """As the branch ``main``: whole videos below ``video/``, or in zips there; 50 frames at
    25 a second, a folder of 30 frames at 3."""
    bounded = {"start": 0.4, "end": 1.2}
    write_rows(
        root,
        {
            "action_sequence": [row("ZS9XR.mp4", **bounded)],
            "action_antonym": [row("166583.webm")],
            "object_existence": [row("video_10009.mp4"), row("video_12000.mp4")],
            "fine_grained_pose": [row("S001C001P001R001A001_rgb.avi")],
            "episodic_reasoning": [row("friends_s01e01_seg02_clip_00", start=2.0, end=8.0)],
            "egocentric_navigation": [row("stop/7.mp4")],
        },
    )
    for task, name, codec in (
        ("action_antonym", "166583.webm", "libvpx"),
        ("object_existence", "video_10009.mp4", "libx264"),
        ("egocentric_navigation", "stop/7.mp4", "libx264"),
    ):
        path = root / "video" / TASKS[task].whole / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, codec, unit=Fraction(1, 25))
    apart = root / "video" / "data0613" / TASKS["object_existence"].whole
    apart.mkdir(parents=True)
    write_video(apart / "video_12000.mp4")
    made = write_video(root / "made.mp4", "libx264", options={"bf": "2"})
    with zipfile.ZipFile(root / "video" / "star.zip", "w") as star:
        star.write(made, f"{TASKS['action_sequence'].whole}/ZS9XR.mp4")
    made.unlink()
    with zipfile.ZipFile(root / "video" / "tvqa.zip", "w") as tvqa:
        for number in range(1, 31):
            frame = root / "frame.jpg"
            numbered(number).save(frame, quality=95)
            folder = f"{TASKS['episodic_reasoning'].whole}/friends_s01e01_seg02_clip_00"
            tvqa.write(frame, f"{folder}/{number:05d}.jpg")
            frame.unlink()
    return root


def write_cut(root: Path) -> Path:
    """As the branch ``video``: what is asked about is cut out, and its folder is at the top."""
    bounded = {"start": 19.5, "end": 36.4, "accurate_start": 19.5, "accurate_end": 36.4}
    write_rows(root, {"action_localization": [row("EK5K1_19.5_36.4.mp4", **bounded)]})
    path = root / TASKS["action_localization"].cut / "EK5K1_19.5_36.4.mp4"
    path.parent.mkdir(parents=True)
    write_video(path)
    return root


def opened(root: Path, frames: int = 4, links: Path | None = None) -> MVBenchReader:
    return MVBenchReader(Copy(root, links or root), LAYOUT, BenchmarkDataConfig(frames=frames))


def items(reader: MVBenchReader) -> dict[str, Item]:
    """By id; nothing may be wrong."""
    problems = Problems("MVBench")
    found = {item.id: item for item in reader.items(problems)}
    problems.raise_if_any()
    return found
