"""A cluster with a store, for tests of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_bench import Bench
from real_ray import RealRay


@pytest.fixture
def bench(ray_cluster: RealRay, tmp_path: Path) -> Bench:
    return Bench(ray_cluster, tmp_path)
