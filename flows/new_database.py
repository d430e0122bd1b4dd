"""A new Prefect database is copied from one made with the environment.

Prefect makes its database by some ninety migrations, which take ten seconds and more of a
processor's time, and every new home waits for them. The tables are the same each time, so
``make env`` makes them once, empty, beside the installed packages; a server copies them where
its home has no database yet. Without that file Prefect does it, as ever.

``python -m flows.new_database`` makes the file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from flows.kept_server import prefect_home


def ready_made() -> Path:
    """Where the empty database of this environment's Prefect is, if it was made."""
    return Path(sys.prefix, "share", "pixel-reasoner", f"prefect-{version('prefect')}.db")


def prepare() -> Path:
    """Make the empty database by Prefect's own migrations; returns where it is."""
    made = ready_made()
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=made.parent) as home:
        database = Path(home, "prefect.db")
        own = {
            name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
        }
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
            env={
                **own,
                "PREFECT_HOME": home,
                "PREFECT_API_DATABASE_CONNECTION_URL": _address(Path(home)),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "DO_NOT_TRACK": "1",
            },
            cwd=home,  # away from settings of the current folder
            stdout=subprocess.DEVNULL,
            check=True,
        )
        packed = Path(home, "packed.db")
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", [str(packed)])
        os.replace(packed, made)
    return made


def settle() -> None:
    """In a server, before it starts: copy the database where there is none yet, and where its
    tables are already those of this Prefect, save the server looking through the migrations.

    Does nothing where the settings name another database.
    """
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    home, made = prefect_home(), ready_made()
    settings = get_current_settings().server.database
    configured = settings.connection_url
    if configured is None or configured.get_secret_value() != _address(home):
        return
    database = home / "prefect.db"
    if made.is_file() and not database.exists():
        _copy(made, database)
    revision = _revision(database)
    asked = "migrate_on_start" in settings.model_fields_set
    if revision is not None and revision == _revision(made) and not asked:
        os.environ["PREFECT_API_DATABASE_MIGRATE_ON_START"] = "false"
        refresh_global_settings_context()


def _address(home: Path) -> str:
    return f"sqlite+aiosqlite:///{home}/prefect.db"


def _copy(made: Path, database: Path) -> None:
    """All at once and never over another: two servers may start in one new home."""
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f"{database.name}.{os.getpid()}")
    try:
        shutil.copyfile(made, partial)
        with suppress(OSError):  # it is there now; or no links here, and Prefect makes one
            os.link(partial, database)
    finally:
        partial.unlink(missing_ok=True)


def _revision(database: Path) -> str | None:
    """The last migration that the database had; None where that can't be read."""
    try:
        address = f"{database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.Error, OSError):
        return None
    return rows[0][0] if len(rows) == 1 else None


if __name__ == "__main__":
    prepare()
