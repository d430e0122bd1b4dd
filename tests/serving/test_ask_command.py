"""``pixel ask``: what a person types, sees and finds in the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept_models import adapter_of, make
from memorised import memorised
from PIL import Image
from typer.testing import CliRunner, Result

from flows.cli.main import app


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and pictures of the questions that its policy knows."""
    folder = tmp_path_factory.mktemp("ask")
    make(folder / "store")
    for number in range(3):
        memorised().openings[number].shown[0].image.save(folder / f"{number}.png")
    return folder


def question(number: int) -> str:
    return memorised().openings[number].query.question


def pixel(place: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["ask", *words, "--store", str(place / "store")])


def test_each_step_is_told_and_then_the_answer(place: Path) -> None:
    result = pixel(place, str(place / "2.png"), question(2))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"policy: {question(2)}"
    assert lines[2] == "   refused: crop too small"
    assert lines[4] == (
        "   looked at x 80 to 360, y 0 to 320 (280 x 320 pixels, shown at 56 x 84)"
    )
    assert lines[5] == "3  \\boxed{yes}"
    assert lines[6] == "answer: yes"
    assert "3 turns, 1 operation, 1 refused" in lines[7]


def test_an_adapter_is_merged_into_the_model_it_names_or_that_is_named(
    place: Path, tmp_path: Path
) -> None:
    base = make(tmp_path / "store", "sft", "before_adapter").local()
    words = (str(place / "2.png"), question(2), "--model")
    without = pixel(place, *words, str(base))
    assert "answer: yes" not in without.output
    told = pixel(place, *words, str(adapter_of(base, tmp_path / "lora")))
    assert "answer: yes" in told.stdout, told.output
    moved = str(adapter_of("somebody/base", tmp_path / "moved"))
    refused = pixel(place, *words, moved)
    assert refused.exit_code == 2
    assert "--base" in refused.output
    assert "answer: yes" in pixel(place, *words, moved, "--base", str(base)).stdout
    idle = pixel(place, *words, "policy", "--base", str(base))
    assert idle.exit_code == 2
    assert "leave it out" in idle.output


def test_json_is_all_that_a_program_reads(place: Path) -> None:
    result = pixel(place, str(place / "1.png"), question(1), "--json", "--choices", "3,4")
    told = json.loads(result.stdout)
    assert told["choices"] == ["3", "4"]
    assert told["pictures"] == [[448, 448]]
    without = json.loads(
        pixel(place, str(place / "1.png"), question(1), "--json", "--no-operations").stdout
    )
    assert without["operations"] == 0
    assert "<tool_call>" not in without["steps"][0]["text"]


def test_what_was_looked_at_is_saved(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    result = pixel(place, str(place / "1.png"), question(1), "--save", str(folder))
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in folder.iterdir()) == [
        "picture-1.png",
        "step-1-crop.png",
        "trajectory.json",
    ]
    told = json.loads((folder / "trajectory.json").read_text())
    first, last = told["steps"]
    assert (first["files"], last["files"]) == (["step-1-crop.png"], [])
    box = tuple(first["box"])
    source = Image.open(place / "1.png").convert("RGB")
    assert Image.open(folder / "step-1-crop.png").tobytes() == source.crop(box).tobytes()
    marked = Image.open(folder / "picture-1.png")
    assert marked.getpixel((box[0] + 1, box[1] + 1)) == (255, 214, 10)
    assert marked.getpixel((400, 400)) == source.getpixel((400, 400))
    again = pixel(place, str(place / "1.png"), question(1), "--save", str(folder))
    assert again.exit_code == 2
    assert "is not empty: name a folder of its own" in again.stderr


def test_a_page_shows_the_episode(place: Path, tmp_path: Path, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    folder = tmp_path / "kept"
    marked = "<script>alert(1)</script>"
    result = pixel(place, str(place / "1.png"), marked, "--open", "--save", str(folder))
    assert result.exit_code == 0, result.output
    assert opened == [(folder / "answer.html").as_uri()]
    page = (folder / "answer.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "data:image/" in page


def test_an_example_is_told_with_its_right_answer(place: Path) -> None:
    result = pixel(place, "--example", "2")
    assert result.exit_code == 0, result.output
    assert "which digit is on" in result.stdout
    assert "right would be: " in result.stdout or "that is right: " in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give a picture or a video, and a question"),
        (["only.png"], "give a picture or a video, and a question"),
        (["a.png", "what?", "--example", "1"], "brings its own picture and question"),
        (["--example", "99"], "is not from 1 to 12"),
        (["missing.png", "what?"], "missing.png does not exist"),
        (["https://example.org/a.png", "what?"], "those allowed by name (none is)"),
        (["{png}", "what?", "--model", "base"], "there is no base in"),
        (["{png}", "what?", "--model", "/nowhere"], "there is no model at '/nowhere'"),
        (["{png}", "what?", "--model", "a/b@main"], "'main' is none"),
        (["{png}", "what?", "--save", "{png}"], "is a file: name a folder"),
    ],
)
def test_what_can_not_be_asked_is_bad_input(place: Path, words: list[str], told: str) -> None:
    png = str(place / "0.png")
    result = pixel(place, *(word.replace("{png}", png) for word in words))
    assert result.exit_code == 2, result.output
    assert told in result.stderr.replace("\n", " ")


@pytest.mark.slow
def test_the_program_itself_on_a_profiles_run(smoke) -> None:
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("pixel"),
            "ask",
            "--example",
            "1",
            "--profile",
            "smoke",
        ],
        env={**os.environ, "PIXEL_STORE": smoke.pixel.store},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("policy: ")
