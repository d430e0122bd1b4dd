"""Tests never touch the user's own Prefect database, store, cache or settings."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Names a test asks for by argument; they live in a file of their own.
from real_ray import ray_cluster
from real_runs import copy_of_smoke, prefect_server, real_pixel, smoke
from real_storage import s3_endpoint, s3_environment, s3_uri, store_uri

__all__ = [
    "copy_of_smoke",
    "prefect_server",
    "ray_cluster",
    "real_pixel",
    "s3_endpoint",
    "s3_environment",
    "s3_uri",
    "smoke",
    "store_uri",
]

for variable in ("PREFECT_API_URL", "PREFECT_PROFILE", "PIXEL_STORE"):
    os.environ.pop(variable, None)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

# The same examples each time, so that a test's result is the code's and not the day's. Others
# are looked for by `make test-properties`.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("same")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they
# start would inherit that; tests of Ctrl-C need programs that can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

_HOME = tempfile.TemporaryDirectory(prefix="pixel-tests-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = f"{_HOME.name}/prefect"
os.environ["PIXEL_CACHE"] = f"{_HOME.name}/cache"
# A test of a private server must not meet another test's.
os.environ["PIXEL_SERVER_KEPT_S"] = "0"


@pytest.fixture(scope="session", autouse=True)
def _home_of_the_session() -> Iterator[None]:
    yield
    _HOME.cleanup()
