"""Tests never touch the user's own Prefect database, store, cache or settings."""

from __future__ import annotations

import gc
import signal

import left_behind
import order
import own_place
import pytest
from hypothesis import settings

own_place.settle()  # before anything is imported that reads the environment

# Names a test asks for by argument; they live in files of their own.
from real_ray import ray_cluster  # noqa: E402
from real_runs import copy_of_smoke, prefect_server, real_pixel, smoke  # noqa: E402
from real_storage import s3_endpoint, s3_environment, s3_uri, store_uri  # noqa: E402

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

# The same examples each time, so that a test's result is the code's and not the day's. Others
# are looked for by `make test-properties`.
settings.register_profile("same", max_examples=25, derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("same")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they
# start would inherit that; tests of Ctrl-C need programs that can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Much is imported while tests are collected, and it stays: to look through it for garbage is a
# tenth of that time, and later of every collection.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(left_behind, "pixel-left-behind")
    config.pluginmanager.register(order, "pixel-order")
    order.draw_the_same(config)
