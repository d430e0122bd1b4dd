"""The record of each run, written after every stage, so that a killed run can be shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, ValidationError

from pixel_core.config import PipelineConfig
from pixel_core.errors import StorageError
from pixel_core.workflow.store import layout
from pixel_core.workflow.store.lease import ProcessId, this_process
from pixel_core.workflow.store.manifest import StoredValue, without_credentials
from pixel_core.workflow.store.storage import Storage

RunStatus = Literal["running", "finished", "failed", "interrupted"]
StageStatus = Literal["running", "reused", "built", "failed", "interrupted"]

#: Stages of one run end in threads of one process; its record is one object.
_UPDATING = threading.Lock()


class StageRun(StoredValue):
    """What became of one stage; ``reason`` is the decision's, or the error's text."""

    stage: str
    status: StageStatus
    reason: str = ""
    warning: str = ""
    key: str | None = None
    digest: str | None = None
    generation: str | None = None
    seconds: float = 0.0
    metrics: dict[str, Any] = Field(default={})


class RunRecord(StoredValue):
    id: str
    profile: str
    config: dict[str, Any]
    status: RunStatus
    process: ProcessId
    started: str
    ended: str | None = None
    stages: dict[str, StageRun] = Field(default={})

    @property
    def was_killed(self) -> bool:
        """It never said how it ended, and its process is gone."""
        return self.status == "running" and self.process.is_dead()


class Runs:
    """The runs of one store, or its studies. Picklable when the storage is."""

    def __init__(self, storage: Storage, folder: str = layout.RUNS) -> None:
        self._storage = storage
        self._folder = folder

    def start(self, profile: str, config: PipelineConfig) -> RunRecord:
        """Open a record; its ``id`` names it from now on."""
        run = RunRecord(
            id=layout.new_id(),
            profile=profile,
            config=_redacted(config.model_dump(mode="json")),
            status="running",
            process=this_process(),
            started=layout.now(),
        )
        self._save(run)
        return run

    def record(self, run_id: str, stage: StageRun) -> RunRecord:
        """Add or replace what is known of one stage."""
        return self._update(run_id, lambda run: {"stages": {**run.stages, stage.stage: stage}})

    def finish(self, run_id: str, status: RunStatus) -> RunRecord:
        return self._update(run_id, lambda run: {"status": status, "ended": layout.now()})

    def get(self, run_id: str) -> RunRecord | None:
        """The record; None when there is none or a later version wrote it."""
        data = self._storage.read(layout.run_path(run_id, self._folder))
        if data is None:
            return None
        try:
            return RunRecord.model_validate_json(data)
        except ValidationError:
            return None

    def ids(self) -> list[str]:
        """Oldest first."""
        names = (entry.path.rpartition("/")[2] for entry in self._storage.entries(self._folder))
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def latest(self) -> RunRecord | None:
        """The run that was started last, running or ended."""
        readable = (self.get(run_id) for run_id in reversed(self.ids()))
        return next((run for run in readable if run is not None), None)

    def _update(self, run_id: str, changes: Callable[[RunRecord], dict[str, Any]]) -> RunRecord:
        with _UPDATING:
            run = self.get(run_id)
            if run is None:
                raise StorageError(
                    f"the record of run {run_id!r} is gone from {self._storage.uri}; was the "
                    "store cleaned by hand while it ran?"
                )
            run = run.model_copy(update=changes(run))
            self._save(run)
            return run

    def _save(self, run: RunRecord) -> None:
        data = run.model_dump_json(indent=1).encode() + b"\n"
        self._storage.write(layout.run_path(run.id, self._folder), data)


def _redacted(value: Any) -> Any:
    """A URL in a configuration may carry ``user:password@``; a record must not."""
    if isinstance(value, dict):
        return {name: _redacted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return without_credentials(value) if isinstance(value, str) else value
