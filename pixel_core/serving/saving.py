"""Saves an answer as files, for people and programs: its text and what it looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from pixel_core.errors import ConfigError
from pixel_core.serving.answer import Answer, AnswerStep

TRAJECTORY = "trajectory.json"

#: A box is a light line on a dark one, so that it shows on any background.
_LINES = ((5, (20, 20, 20)), (3, (255, 214, 10)))


def check_folder(folder: Path) -> None:
    """``ConfigError`` if the folder is not empty, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: name a folder of its own")


def save_answer(answer: Answer, folder: Path, *, model: str = "") -> list[Path]:
    """Write ``trajectory.json``, the question's pictures with the boxes looked at, and what
    each call returned, as PNG at the source's own resolution; returns the files.

    For a video only the selected frames are written. Creates the folder; raises like
    ``check_folder``.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    if not answer.query.is_video:
        for number, picture in enumerate(answer.pictures):
            steps = [s for s in answer.steps if s.box is not None and s.picture == number]
            files.append(folder / f"picture-{number + 1}.png")
            with_boxes(picture, steps).save(files[-1])
    names: dict[int, list[str]] = {}
    for step in answer.steps:
        for name, crop in zip(_names(step), step.crops, strict=True):
            names.setdefault(step.number, []).append(name)
            files.append(folder / name)
            crop.save(files[-1])
    told = trajectory(answer, model=model)
    for entry in told["steps"]:
        entry["files"] = names.get(entry["number"], [])
    files.append(folder / TRAJECTORY)
    files[-1].write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return files


def trajectory(answer: Answer, *, model: str = "") -> dict[str, Any]:
    """Question, steps and answer as JSON. Boxes are pixels of the question's own picture, right
    and lower edge exclusive; pictures and frames count from 1."""
    return {
        "model": model,
        "question": answer.query.question,
        "choices": list(answer.query.choices),
        "video": answer.query.is_video,
        "pictures": [list(image.size) for image in answer.pictures],
        "answer": answer.text,
        "stop": answer.stop.value,
        "operations": answer.operations,
        "failed_operations": answer.failed_operations,
        "tokens": answer.tokens,
        "prompt_tokens": answer.prompt_tokens,
        "seconds": round(answer.seconds, 4),
        "steps": [step_record(step) for step in answer.steps],
    }


def step_record(step: AnswerStep) -> dict[str, Any]:
    """One turn as JSON."""
    return {
        "number": step.number,
        "text": step.text,
        "box": list(step.box.as_tuple()) if step.box is not None else None,
        "picture": None if step.picture is None else step.picture + 1,
        "frames": [frame + 1 for frame in step.frames],
        "error": step.error,
        "tokens": step.tokens,
    }


def with_boxes(picture: Image.Image, steps: list[AnswerStep]) -> Image.Image:
    """A copy with the steps' boxes drawn on it, each with its step's number."""
    shown = picture.copy()
    draw = ImageDraw.Draw(shown)
    thick = max(1, max(picture.size) // 400)
    for step in steps:
        assert step.box is not None
        x1, y1, x2, y2 = step.box.as_tuple()
        for width, colour in _LINES:
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=colour, width=width * thick)
        draw.text((x1 + 6 * thick, y1 + 6 * thick), str(step.number), fill=_LINES[1][1])
    return shown


def _names(step: AnswerStep) -> list[str]:
    if step.frames:
        return [f"step-{step.number}-frame-{frame + 1}.png" for frame in step.frames]
    return [f"step-{step.number}-crop.png"] if step.shown else []
