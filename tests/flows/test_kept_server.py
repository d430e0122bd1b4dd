"""A private Prefect server that stays for the next run: real programs, real servers."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pixel_program import Pixel

from flows import kept_server


@pytest.fixture
def home() -> Iterator[Path]:
    """A Prefect home of the test's own; with it any server that was kept in it goes."""
    folder = Path(tempfile.mkdtemp(prefix="pixel-prefect-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def keeping(tmp_path: Path, home: Path) -> Pixel:
    settings = {"PREFECT_HOME": str(home), "PIXEL_SERVER_KEPT_S": "600"}
    return Pixel(tmp_path / "store", settings)


def note(home: Path) -> dict[str, object]:
    return json.loads((home / kept_server.NOTE).read_text())


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: never"
        time.sleep(0.1)


def is_there(home: Path) -> Callable[[], bool]:
    return (home / kept_server.NOTE).exists


def task_states(home: Path) -> list[tuple[str, str, str]]:
    """(flow run, task, state's name), in the order the flow runs began."""
    with sqlite3.connect(home / "prefect.db") as database:
        return database.execute(
            "SELECT f.name, t.name, t.state_name FROM task_run t JOIN flow_run f "
            "ON f.id = t.flow_run_id ORDER BY f.start_time, t.start_time"
        ).fetchall()


def flow_states(home: Path) -> list[str]:
    with sqlite3.connect(home / "prefect.db") as database:
        rows = database.execute("SELECT state_name FROM flow_run ORDER BY start_time")
        return [row[0] for row in rows]


@pytest.mark.ci
def test_the_next_run_takes_the_server_of_the_last(keeping: Pixel, home: Path) -> None:
    assert keeping("run", "--until", "annotate").returncode == 0
    assert flow_states(home) == ["Completed"]  # when the command ends, not later
    wait_until(is_there(home), "the server stays")
    first = note(home)
    again = keeping("run", "--until", "annotate")
    assert again.returncode == 0, again.stderr
    assert "2 to reuse, 0 to run" in again.stdout
    assert flow_states(home) == ["Completed", "Completed"]
    assert note(home) == first
    wait_until(lambda: len(task_states(home)) == 4, "the tasks are on the page")
    wait_until(
        lambda: (
            [state for *_, state in task_states(home)] == ["Completed"] * 2 + ["Cached"] * 2
        ),
        "their states are",
    )


@pytest.mark.slow
def test_other_settings_or_a_lost_database_need_another_server(
    keeping: Pixel, home: Path
) -> None:
    assert keeping("run", "--until", "ingest").returncode == 0
    wait_until(is_there(home), "the server stays")
    first = note(home)
    changed = keeping("run", "--until", "ingest", PREFECT_API_DATABASE_TIMEOUT="77")
    assert changed.returncode == 0, changed.stderr
    wait_until(lambda: is_there(home)() and note(home) != first, "another takes its place")
    wait_until(lambda: not kept_server.answers(int(str(first["port"])), 1.0), "the first ends")
    second = note(home)
    (home / "prefect.db").unlink()
    wait_until(
        lambda: not kept_server.answers(int(str(second["port"])), 1.0), "the second ends"
    )
    assert not is_there(home)()


@pytest.mark.slow
def test_it_ends_when_its_time_is_over_but_not_under_a_run(
    keeping: Pixel, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keeping("run", "--until", "ingest", PIXEL_SERVER_KEPT_S="8").returncode == 0
    wait_until(is_there(home), "the server stays")
    monkeypatch.setenv("PREFECT_HOME", str(home))
    held = kept_server.take()  # as a run does
    assert held is not None
    time.sleep(12)
    assert kept_server.answers(held.port, 10.0)
    held.stop()
    wait_until(lambda: not is_there(home)(), "its time is over")
    wait_until(lambda: not kept_server.answers(held.port, 1.0), "it is gone")


@pytest.mark.parametrize(
    "spoilt", ["", "{", "[]", '{"identity": 1}', '{"identity": "x", "port": 1}']
)
def test_a_spoilt_note_is_as_good_as_none(
    spoilt: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(home))
    (home / kept_server.NOTE).write_text(spoilt)
    assert kept_server.take() is None


def test_a_note_of_a_server_that_was_killed_is_as_good_as_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(home))
    told = {"identity": kept_server.identity(), "port": 1}
    (home / kept_server.NOTE).write_text(json.dumps(told))
    assert kept_server.take() is None


def test_a_bad_number_of_seconds_is_bad_input(keeping: Pixel) -> None:
    ended = keeping("run", PIXEL_SERVER_KEPT_S="soon")
    assert ended.returncode == 2
    assert "PIXEL_SERVER_KEPT_S='soon'" in ended.stderr


@pytest.mark.ci
def test_a_server_that_is_not_to_be_kept_ends_with_its_run(keeping: Pixel, home: Path) -> None:
    assert keeping("run", "--until", "ingest", PIXEL_SERVER_KEPT_S="0").returncode == 0
    assert not is_there(home)()
