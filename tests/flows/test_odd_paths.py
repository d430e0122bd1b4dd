"""Paths with brackets, blanks and umlauts are printed as they are; commands can be pasted."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from rich.table import Table

import flows
from flows.cli import study_progress
from flows.cli import terminal as progress
from flows.cli.exchange import import_file
from flows.consoles import plain_console
from pixel_core.data.exchange.importing import ImportJob

ODD = "/data [old]/it's [bold]here[/bold]/Müller :cat: [/x]/a"


def test_words_are_shown_as_they_are() -> None:
    out = io.StringIO()
    console = plain_console(file=out, width=400)
    table = Table("place", box=None)
    table.add_row(ODD)
    for words in (ODD, f"store {ODD}", table):
        console.print(words, soft_wrap=True)
    assert out.getvalue().count(ODD) == 3
    assert "\x1b" not in out.getvalue()


def test_progress_shows_them_too() -> None:
    for module in (progress, study_progress):
        source = Path(module.__file__).read_text(encoding="utf-8")
        for column in re.findall(r"TextColumn\(.*?\)", source):
            assert "markup=False" in column


def test_nothing_prints_with_markup() -> None:
    """Each console of the commands is a plain one."""
    folder = Path(flows.__file__).parent
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.name != "consoles.py":
            assert not re.search(r"(?<![\w.\[\"])Console\(", source), path.name
            assert "rich.print" not in source, path.name


def test_the_import_prints_a_command_that_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my data [new] ü"
    folder.mkdir()
    (folder / "profile.toml").write_text("")
    counts = {"trajectories": 1, "seeds": 1, "kinds": {}, "rejected": {"bad_call": 2}}
    monkeypatch.setattr(ImportJob, "run", lambda self, folder, progress: counts)
    import_file(folder / "x.jsonl", "original", folder, None, None)
    told = capsys.readouterr().out
    assert "2 left out" in told
    line = " ".join(told.split())
    command = shlex.split(line[line.rindex("pixel run") :])
    assert command[:4] == ["pixel", "run", "--profile", str(folder / "profile.toml")]
