"""Bad input: one message that names the value and the remedy, exit code 2, no work done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli.main import app


def pixel(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--profile", "huge"], ["'huge'", "tiny"]),
        (["--profile", "missing/there.toml"], ["'missing/there.toml'", "does not exist"]),
        (["--set", "sft.steps=-1"], ["sft.steps", "-1", "greater than or equal to 0"]),
        (["--set", "sft.stepz=3"], ["sft.stepz", "not permitted"]),
        (["--set", "sft.steps"], ["'sft.steps'", "section.field=value"]),
        (["--from", "tokenize"], ["'tokenize'", "ingest", "report"]),
        (["--until", "tokenize"], ["'tokenize'", "ingest", "report"]),
        (["--from", "rl", "--until", "annotate"], ["--from rl", "--until annotate", "ingest"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_bad_values_are_named_with_their_remedy(
    command: str, arguments: list[str], named: list[str], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    result = pixel(command, "--store", str(store), *arguments)
    assert result.exit_code == 2
    for words in named:
        assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not store.exists()


def test_a_bad_profile_file_is_named(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('extends = "tiny"\n[rl]\ngroup = 1\n', encoding="utf-8")
    result = pixel("run", "--profile", str(profile), "--store", str(tmp_path / "store"))
    assert result.exit_code == 2
    assert str(profile) in result.stderr
    assert "rl.group" in result.stderr


def test_a_data_source_is_checked_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "prefect"
    monkeypatch.setenv("PREFECT_HOME", str(home))
    manifest = tmp_path / "questions.jsonl"
    manifest.write_text('{"question": "?", "answer": "1", "image": "gone.png"}\n')
    arguments = [
        "--set",
        "ingest.sources=manifest",
        "--set",
        f"ingest.manifest.path={manifest}",
    ]
    result = pixel("run", "--until", "ingest", "--store", str(tmp_path / "store"), *arguments)
    assert result.exit_code == 2
    assert str(manifest) in result.stderr
    assert not home.exists()
    assert not (tmp_path / "store").exists()


def test_debug_adds_the_traceback() -> None:
    result = pixel("plan", "--profile", "huge", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "there is no profile 'huge'" in result.stderr


def test_storage_that_cannot_be_used_is_not_bad_input(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a folder", encoding="utf-8")
    result = pixel("plan", "--until", "annotate", "--store", str(occupied / "store"))
    assert result.exit_code == 1
    assert str(occupied) in result.stderr


@pytest.mark.parametrize("command", [["show"], ["show", "rl"], ["report"]])
def test_nothing_to_show_says_what_to_do(command: list[str], tmp_path: Path) -> None:
    result = pixel(*command, "--store", str(tmp_path / "store"))
    assert result.exit_code == 2
    assert "pixel run" in result.stderr


def test_showing_an_unknown_stage_lists_the_stages(tmp_path: Path) -> None:
    result = pixel("show", "tokenize", "--store", str(tmp_path / "store"))
    assert result.exit_code == 2
    assert "evaluate" in result.stderr


def test_plan_as_json_decides_in_order(tmp_path: Path) -> None:
    result = pixel("plan", "--json", "--until", "annotate", "--store", str(tmp_path / "store"))
    decisions = json.loads(result.stdout)
    assert [decision["stage"] for decision in decisions] == ["ingest", "annotate"]
    assert decisions[0]["action"] == "run"
    assert decisions[0]["reason"] == "never built"
    assert len(decisions[0]["key"]) == 64
    assert decisions[1]["key"] is None  # follows from ingest's bytes


def test_plan_loads_neither_torch_nor_prefect(tmp_path: Path) -> None:
    """With every fingerprint of the real table asked for."""
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from flows.cli.main import app\n"
        "result = CliRunner().invoke(app, sys.argv[1:])\n"
        "heavy = {'torch', 'prefect', 'transformers'} & set(sys.modules)\n"
        "print(result.exit_code, sorted(heavy))\n"
        "print(result.output)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, "plan", "--store", str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith("0 []"), found.stdout
