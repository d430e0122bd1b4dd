"""Jobs on the cluster import nothing that the GPU plane's image lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_modules_of_jobs_import_with_the_gpu_planes_packages_alone() -> None:
    script = Path(__file__).with_name("plane_imports.py")
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=280
    )
    assert ended.returncode == 0, ended.stderr
    imported = set(ended.stdout.split())
    assert {
        "pixel_core.workflow.cluster.job",
        "pixel_core.workflow.runner",
        "pixel_core.workflow.store.s3_storage",
        "pixel_core.training.ray_train.stage",
        "pixel_core.training.text_only",
        "pixel_core.evaluation.answers",
        "pixel_core.evaluation.benchmark_answers",
        "pixel_core.evaluation.scores",
        "pixel_core.training.openrlhf.stage",
    } <= imported
