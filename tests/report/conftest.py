"""One small run and its report, written once for all tests of this room."""

from __future__ import annotations

import pytest
from run_folders import small_config, write_run

from pixel_core.report.report import run
from pixel_core.workflow.stage import StageContext


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    """A context whose stage has run: ``context.out`` holds the report."""
    made = write_run(tmp_path_factory.mktemp("run"), small_config())
    run(made)
    return made
