"""What the control plane and a job hand each other through the computation's workspace.

The one file of a job holds everything that must agree on all workers: the whole
configuration, the stage, its inputs by digest. The record of an ending brings an error's
type across, so that a person reads the same text as if the stage had run at home.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import pixel_core.errors as errors
from pixel_core.config import PipelineConfig
from pixel_core.errors import BudgetSpent, ClusterError, ConfigError, DataError, PixelError
from pixel_core.workflow.stage import Stage, Workspace
from pixel_core.workflow.store.manifest import InputRef, without_credentials

_FILE = "cluster/job.json"
#: What the same settings and data would only end in again.
FINAL = (ConfigError, DataError, BudgetSpent, ClusterError)
#: Characters of an error's text that are kept: its end, where a traceback says what it was.
_KEPT = 8000


class JobFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Stage
    config: PipelineConfig
    inputs: Mapping[str, InputRef]
    #: What the key must come out as on the nodes.
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    generation: str
    forced: bool
    #: Hashes of the control plane's source, by room.
    source: Mapping[str, str]

    def put(self, work: Workspace) -> None:
        work.put(_FILE, self.model_dump_json().encode())

    @classmethod
    def get(cls, work: Workspace) -> JobFile:
        data = work.get(_FILE)
        if data is None:
            raise ClusterError(
                "the job's file is not in its workspace. Do the nodes reach the same store as "
                "the control plane? cluster.store names it as they see it"
            )
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise ClusterError(
                f"the nodes' code does not read the job's file: {error}\nThe nodes need the "
                'control plane\'s version: cluster.code = "upload" brings it'
            ) from error


class JobFailure(BaseModel):
    """How a job failed. ``kinds``: the error's classes, the nearest first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kinds: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, error: Exception) -> JobFailure:
        """A bug's traceback is its text; an error for a user has one of its own."""
        typed = isinstance(error, PixelError)
        text = str(error) if typed else "".join(traceback.format_exception(error))
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        return cls(kinds=kinds if typed else (), text=without_credentials(text)[-_KEPT:])

    def error(self) -> PixelError | None:
        """The error as it was raised, of the nearest class known here; None for a bug."""
        for name in self.kinds:
            known = getattr(errors, name, None)
            if isinstance(known, type) and issubclass(known, PixelError):
                return known(self.text)
        return None

    def put(self, work: Workspace, attempt: int) -> None:
        work.put(_ending(attempt), self.model_dump_json().encode())

    @classmethod
    def get(cls, work: Workspace, attempt: int) -> JobFailure | None:
        """None where the job was killed before it could say."""
        data = work.get(_ending(attempt))
        return cls.read(data) if data else None

    @classmethod
    def read(cls, data: bytes) -> JobFailure | None:
        """None for what is no ending."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            return None


def forget_ending(work: Workspace, attempt: int) -> None:
    """A cluster that was started anew counts attempts from 1 again."""
    work.delete(_ending(attempt))


def _ending(attempt: int) -> str:
    return f"cluster/ending-{attempt}.json"
