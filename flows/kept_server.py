"""A private Prefect server that stays for some minutes after its run, for the next one.

Starting one is most of what a run costs that finds everything made. The server writes down
where it is in ``PREFECT_HOME``; a run that uses it holds a lock on that file, which the kernel
drops with the run. Once nobody has held it for a while, or when its database or its note is
gone, the server ends by itself. ``PIXEL_SERVER_KEPT_S`` says how long; 0: it ends with its run.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from pixel_core.errors import ConfigError

HOST = "127.0.0.1"
NOTE = "pixel-server.json"
KEPT_S = 300
#: Seconds between two looks of a server at whether it is still wanted.
_LOOK_S = 1.0
#: Settings of Prefect that are the run's own and change nothing in a server.
_OF_RUNS = ("PREFECT_API_URL", "PREFECT_LOGGING_", "PREFECT__", "PREFECT_SERVER_UI_")
_CODE = (Path(__file__), Path(__file__).with_name("server_process.py"))
#: Files that Prefect reads settings from, beside its profiles.
_SETTINGS = (".env", "prefect.toml", "pyproject.toml")


def kept_seconds() -> int:
    """How long a server stays after its run. Raises ``ConfigError``."""
    text = os.environ.get("PIXEL_SERVER_KEPT_S", str(KEPT_S))
    if not text.isascii() or not text.isdigit():
        raise ConfigError(
            f"PIXEL_SERVER_KEPT_S={text!r} is no number of seconds; 0 keeps no server"
        )
    return int(text)


def prefect_home() -> Path:
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


class KeptServer:
    """A server that an earlier run left, held until ``stop``."""

    def __init__(self, port: int, note: IO[str]) -> None:
        self.port = port
        self._note = note

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.port}/api"

    def wait_until_healthy(self) -> None:
        """It answered when it was taken."""

    def keep(self, seconds: int) -> None:
        """It stays as long as it was told to by the run that started it."""
        self.stop()

    def stop(self) -> None:
        """Let it go; it ends once nobody has held it for its time."""
        self._note.close()


def take() -> KeptServer | None:
    """The server that an earlier run left, if it is what this run would start."""
    try:
        note = (prefect_home() / NOTE).open(encoding="utf-8")
    except OSError:
        return None
    try:
        fcntl.flock(note, fcntl.LOCK_SH)
        found = json.load(note)
        fits = found["identity"] == identity() and _is_at(note, prefect_home() / NOTE)
        if fits and answers(found["port"], timeout_s=5.0):
            return KeptServer(found["port"], note)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note of this version: as good as none
    note.close()
    return None


def identity() -> str:
    """What a server's behaviour follows from: one of another identity is of no use."""
    settings = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PREFECT_") and not name.startswith(_OF_RUNS)
    }
    files = [prefect_home() / "profiles.toml", *map(Path, _SETTINGS)]
    parts = [
        version("prefect"),
        sys.executable,
        os.path.realpath(prefect_home()),
        settings,
        [_digest(path) for path in (*_CODE, *files)],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stay(seconds: int, port: int, named: str) -> None:
    """In the server, after its run: return once it should end."""
    home = prefect_home()
    os.chdir(home)
    database = home / "prefect.db"
    known = _number(database)
    partial = home / f"{NOTE}.{os.getpid()}"
    note = os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "r+")
    json.dump({"identity": named, "port": port, "pid": os.getpid()}, note)
    note.flush()
    os.replace(partial, home / NOTE)  # a server of an earlier run sees that, and ends
    until = time.monotonic() + seconds
    while True:
        time.sleep(min(_LOOK_S, seconds))
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            until = time.monotonic() + seconds  # a run uses it
            continue
        there = _is_at(note, home / NOTE)
        if not there or _number(database) != known or time.monotonic() >= until:
            if there:
                (home / NOTE).unlink(missing_ok=True)
            return
        fcntl.flock(note, fcntl.LOCK_UN)


def answers(port: int, timeout_s: float) -> bool:
    """Whether a server on this machine is healthy."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _is_at(note: IO[Any], path: Path) -> bool:
    return os.fstat(note.fileno()).st_ino == _number(path)


def _number(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
