"""Where each thing is below a store's root."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

ARTIFACTS = "artifacts"
WORK = "work"
LEASES = "leases"
RUNS = "runs"
#: Records of studies, apart from runs: a study is many runs of its own kind.
STUDIES = "studies"
STAGING = "staging"
#: What all runs of a stage share and no clean-up takes: answers that were paid for.
NOTES = "notes"
#: What can be made again from the rest.
CACHE = "cache"


def artifact_folder(stage: str, key: str) -> str:
    return f"{ARTIFACTS}/{stage}/{key}"


def manifest_path(stage: str, key: str) -> str:
    return f"{artifact_folder(stage, key)}/manifest.json"


def latest_path(stage: str) -> str:
    """Holds the key of the stage's artifact that was last made or reused."""
    return f"{ARTIFACTS}/{stage}/latest"


def generation_folder(stage: str, key: str, generation: str) -> str:
    return f"{artifact_folder(stage, key)}/{generation}"


def work_folder(stage: str, key: str) -> str:
    return f"{WORK}/{stage}/{key}"


def lease_folder(stage: str, key: str) -> str:
    return f"{LEASES}/{stage}/{key}"


def notes_folder(stage: str) -> str:
    return f"{NOTES}/{stage}"


def run_path(run_id: str, folder: str = RUNS) -> str:
    return f"{folder}/{run_id}.json"


def new_id() -> str:
    """A name that sorts by the time it was made and that no other run makes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def now() -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
