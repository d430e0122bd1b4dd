"""Trajectories that came with imported questions: they are taken as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.jsonl import RecordIndex
from pixel_core.records import Trajectory

_TRAJECTORIES = "trajectories.jsonl"


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """The digest of the imported trajectories, where there are any."""
    path = _path(config)
    if path is None:
        return {}
    with path.open("rb") as data:
        return {"imported": hashlib.file_digest(data, "sha256").hexdigest()}


def imported_trajectories(config: PipelineConfig) -> RecordIndex[Trajectory] | None:
    """By their seed's id; None when no questions are imported."""
    path = _path(config)
    return None if path is None else RecordIndex(path, Trajectory, lambda one: one.seed_id)


def _path(config: PipelineConfig) -> Path | None:
    if "imported" not in config.ingest.sources:
        return None
    path = Path(config.ingest.imported.path) / _TRAJECTORIES
    if not config.ingest.imported.path or not path.is_file():
        raise DataError(
            f"there is no {path}; set ingest.imported.path to a folder that pixel import has "
            "completed"
        )
    return path
