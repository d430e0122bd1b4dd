"""Videos that several files look at, encoded once."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_videos import write_kinds


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kinds(tmp_path_factory.mktemp("videos"))
