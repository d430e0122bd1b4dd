"""The small run, made once a session: two habits learnt by heart."""

from __future__ import annotations

import pytest
from small_run import HABITS, SmallRun


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    run = SmallRun(tmp_path_factory.mktemp("small"))
    run.inputs["sft"] = run.sft("habits", HABITS).out
    return run
