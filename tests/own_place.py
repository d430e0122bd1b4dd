"""Where a session of tests lives: a home, caches and temporary files of its own.

Nothing of the user's is read or written: no settings, no caches, no credentials, no Ray and no
Prefect of theirs. The first process of a session makes the place and removes it at its end;
the workers of pytest-xdist, and all that tests start, inherit it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

PLACE = "PIXEL_TESTS_PLACE"

#: Variables that would lead a test to something outside, or change what it does. Addresses of
#: proxies too: tests speak to this machine only.
_OF_THE_USER = (
    *("PIXEL_", "PREFECT_", "RAY_", "AWS_", "HF_", "HUGGING_FACE_", "TRANSFORMERS_"),
    *("OPENAI_", "XDG_", "MPL", "MATPLOTLIB", "GRADIO_", "PYTEST_DEBUG_TEMPROOT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"),
)

#: A Unix socket's path has 107 bytes. The longest in a test is Ray's, below the place.
_SOCKET = 107
_DEEPEST = (
    "/pixel-12345678/ray-12345678/ray"
    "/session_2026-11-30_15-40-28_123456_1234567/sockets/plasma_store.12"
)


def settle() -> None:
    """Make this process live in the session's place. Called once, before anything is
    imported that reads the environment."""
    place = os.environ.get(PLACE)
    if place is None:
        # pytest's own folders stay where a person looks for them after a failure.
        kept = tempfile.gettempdir()
        place = _made(kept)
        for name in list(os.environ):
            if name.upper().startswith(_OF_THE_USER):
                del os.environ[name]
        os.environ.update({PLACE: place, "PYTEST_DEBUG_TEMPROOT": kept})
        os.environ.update(
            {
                "HOME": _folder(place, "home"),
                "HF_HOME": _folder(place, "hf"),
                "HF_HUB_OFFLINE": "1",
                "TMPDIR": place,
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "DO_NOT_TRACK": "1",
                # A test of a private server must not meet another test's.
                "PIXEL_SERVER_KEPT_S": "0",
                "RAY_USAGE_STATS_ENABLED": "0",
                # Its dashboard is ten processes: on a busy machine they take their time.
                "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "250",
                "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "240",
            }
        )
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("MKL_NUM_THREADS", "1")
    tempfile.tempdir = None  # to be read from the environment again
    # A worker has what others would wait for to itself: a database, a cache with locks.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
    os.environ["PREFECT_HOME"] = _folder(place, f"prefect-{worker}")
    os.environ["PIXEL_CACHE"] = _folder(place, f"cache-{worker}")


def _made(kept: str) -> str:
    """An empty folder below the temporary one, or below /tmp where sockets would not fit."""
    fits = len(os.fsencode(kept + _DEEPEST)) <= _SOCKET
    place = tempfile.mkdtemp(prefix="pixel-", dir=kept if fits else "/tmp")
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # not a fork of it
            shutil.rmtree(place, ignore_errors=True)

    atexit.register(remove)
    return place


def _folder(place: str, name: str) -> str:
    folder = Path(place, name)
    folder.mkdir(exist_ok=True)
    return str(folder)
