"""A new home's database is a copy; any other database is left alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from forked import Forked

from flows import new_database

MIGRATES = "PREFECT_API_DATABASE_MIGRATE_ON_START"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(new_database, "ready_made", lambda: tmp_path / "made.db")
    database(tmp_path / "made.db", "last")
    return tmp_path / "home"


def database(path: Path, revision: str, more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        connection.execute("CREATE TABLE mine (word TEXT)")
        connection.execute("INSERT INTO mine VALUES (?)", [more])
        connection.commit()


def word(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT word FROM mine").fetchone()[0]


def settle_as_a_new_process() -> None:
    """Prefect keeps the settings it read first, maybe for an earlier test of this process."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    new_database.settle()


def migrates_after_settling(tmp_path: Path, **environment: str) -> bool:
    """Whether Prefect would look through its migrations; in a process of its own, as settling
    changes its environment."""

    def settle() -> None:
        os.environ.update(environment)
        settle_as_a_new_process()
        (tmp_path / "said").write_text(os.environ.get(MIGRATES, "true"))

    child = Forked(target=settle)
    child.start()
    child.join()
    assert child.exitcode == 0
    return (tmp_path / "said").read_text() == "true"


def test_a_new_home_gets_a_copy_and_needs_no_migration(home: Path, tmp_path: Path) -> None:
    assert not migrates_after_settling(tmp_path)
    assert word(home / "prefect.db") == ""
    assert [path.name for path in home.iterdir() if path.name.startswith("prefect.db.")] == []


def test_a_database_that_is_there_is_never_written_over(home: Path, tmp_path: Path) -> None:
    database(home / "prefect.db", "last", "kept")
    assert not migrates_after_settling(tmp_path)
    assert word(home / "prefect.db") == "kept"


@pytest.mark.parametrize("revision", ["an older one", "a newer one"])
def test_another_revision_is_for_prefect_to_migrate(
    home: Path, tmp_path: Path, revision: str
) -> None:
    database(home / "prefect.db", revision, "kept")
    assert migrates_after_settling(tmp_path)
    assert word(home / "prefect.db") == "kept"


def test_what_is_no_database_is_left_to_prefect(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "prefect.db").write_bytes(b"something else")
    assert migrates_after_settling(tmp_path)
    assert (home / "prefect.db").read_bytes() == b"something else"


def test_without_a_ready_made_one_prefect_makes_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "made.db").unlink()
    assert migrates_after_settling(tmp_path)
    assert not (home / "prefect.db").exists()


def test_the_users_own_database_is_not_this_one(home: Path, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/own.db"
    assert migrates_after_settling(tmp_path, PREFECT_API_DATABASE_CONNECTION_URL=url)
    assert not (home / "prefect.db").exists()
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize("name", [MIGRATES, "PREFECT_SERVER_DATABASE_MIGRATE_ON_START"])
def test_a_user_who_asks_for_migrations_gets_them(
    home: Path, tmp_path: Path, name: str
) -> None:
    assert migrates_after_settling(tmp_path, **{name: "true"})


@pytest.mark.parametrize("name", ["a b", "ü", "a#b", "a?b=c", "[x]", "100%", "a%20b"])
def test_a_home_of_any_name(
    home: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / name))
    assert not migrates_after_settling(tmp_path)
    assert word(tmp_path / name / "prefect.db") == ""


def test_two_that_start_at_once_in_a_new_home_have_one_database(
    home: Path, tmp_path: Path
) -> None:
    both = [Forked(target=settle_as_a_new_process) for _ in range(2)]
    for child in both:
        child.start()
    for child in both:
        child.join()
    assert [child.exitcode for child in both] == [0, 0]
    assert [path.name for path in home.glob("prefect.db*") if "-" not in path.name] == [
        "prefect.db"
    ]


def test_the_environments_own_is_empty_and_of_its_prefect() -> None:
    made = new_database.ready_made()
    if not made.exists():
        pytest.skip("this environment was not made by make env")
    with closing(sqlite3.connect(f"file:{made}?mode=ro&immutable=1", uri=True)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        counts = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in named.fetchall()
        }
    assert {name for name, count in counts.items() if count} == {"alembic_version"}
    assert {"flow_run", "task_run", "artifact", "deployment"} <= counts.keys()
