"""``pixel data list`` and ``pixel data prepare``."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from published_files import picture, write_vstar
from typer.testing import CliRunner

from flows.cli.main import app
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS


def pixel(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *(str(argument) for argument in arguments)])
    return result.exit_code, result.output


def test_the_list_names_every_benchmark() -> None:
    code, said = pixel("list")
    assert code == 0
    assert all(name in said for name in BENCHMARKS)
    assert "15,598 questions" in said
    code, said = pixel("list", "--json")
    assert [row["name"] for row in json.loads(said)] == list(BENCHMARKS)


def test_a_copy_is_prepared_once_and_told(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "my copy")
    where = ("--store", tmp_path / "store", "--from", local)
    shuffled = ("--set", "benchmarks.vstar.shuffle_seed=1")
    code, said = pixel("prepare", "vstar", *where, *shuffled)
    assert code == 0, said
    assert "benchmark_vstar: built" in said
    assert "right option published: A 35 %, B 35 %, C 15 %, D 15 %" in said
    assert "right option as asked:" in said
    (hint,) = [line for line in said.splitlines() if line.startswith("to have it answered")]
    assert "--set benchmarks.vstar.shuffle_seed=1" in hint
    assert "my copy" in hint
    code, said = pixel("prepare", "vstar", *where, *shuffled)
    assert "benchmark_vstar: reused" in said
    code, said = pixel("prepare", "vstar", *where, *shuffled, "--json")
    assert json.loads(said[said.index("{") :])["used"] == 191


def test_what_is_missing_is_told_and_can_be_allowed(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar")
    (local / "direct_attributes" / "sa_0.jpg").unlink()
    where = ("--store", tmp_path / "store", "--from", local)
    code, said = pixel("prepare", "vstar", *where)
    assert code == 2
    assert "sa_0.jpg" in said
    assert "benchmarks.vstar.incomplete" in said
    code, said = pixel("prepare", "vstar", *where, "--set", "benchmarks.vstar.incomplete=true")
    assert code == 0
    assert "not as published: direct_attributes: 2 of 115" in said


@pytest.mark.parametrize("name", ["1e5", "true", "nan", "2024-01-01", "données 😀", 'a "b"'])
def test_a_folder_is_its_name_whatever_that_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    code, said = pixel("prepare", "vstar", "--store", tmp_path / "store", "--from", name)
    assert code == 2
    assert f"no file {str(Path(name, 'test_questions.jsonl'))!r}" in said.replace("\n", " ")


def test_a_layout_without_a_published_count_says_so(tmp_path: Path) -> None:
    picture_row = {"question": "How many?", "image": ["0.jpg"], "answer": "2", "qid": "t-0"}
    local = tmp_path / "copy"
    local.mkdir()
    (local / "0.jpg").write_bytes(picture(0))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([picture_row]), local / "t.parquet")
    where = ("--store", tmp_path / "store", "--from", local, "--layout", "original")
    code, said = pixel("prepare", "tallyqa_complex", *where)
    assert code == 0, said
    assert "note: no number of questions is published for this layout" in said


def test_the_drawn_benchmark_makes_what_it_needs(tmp_path: Path) -> None:
    few = [f"ingest.drawn.{split}=4" for split in ("train", "validation", "test")]
    settings = [word for setting in few for word in ("--set", setting)]
    code, said = pixel(
        "prepare", "drawn", "--profile", "smoke", "--store", tmp_path / "store", *settings
    )
    assert code == 0, said
    assert "running ingest" in said
    assert "4 pictures" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "vstar, tallyqa_complex"),
        (("vstar", "--layout", "mine"), "own, original"),
        (("drawn", "--from", "."), "leave --from"),
        (("vstar", "--layout", "original"), "benchmarks.vstar.revision is empty"),
        (("tallyqa_complex",), "Visual Genome"),
        (("vstar", "--set", "benchmarks.vstar.local=nowhere"), "no folder 'nowhere'"),
        (("vstar", "--set", "benchmarks.vstar.revision=main"), "is no commit"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    code, said = pixel("prepare", *arguments, "--store", tmp_path / "store")
    assert code == 2
    assert told in said.replace("\n", " ")
