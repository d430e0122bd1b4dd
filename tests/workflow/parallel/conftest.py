"""One Ray for a file of tests: the pool uses the one that is there, and leaves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixel_core.workflow.parallel.ray_pool import ray_here

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # Its processes import what the tests hand to them.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
        # Ray gives its processes the lowest claim on the processor: on a busy machine, none.
        patch.setenv("RAY_worker_niceness", "0")
        with ray_here(2):
            yield
