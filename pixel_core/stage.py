"""What a stage is: a function from input artifacts and a config to one output artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pixel_core.config import PipelineConfig


class Progress(Protocol):
    """Where a stage tells how far it is; the terminal, the log and the UI listen."""

    def update(self, done: int, total: int, **metrics: float) -> None:
        """``done`` of ``total`` units are finished; metrics are the latest values."""

    def note(self, text: str) -> None:
        """A sentence for the person watching."""


class SilentProgress:
    """For callers that do not watch."""

    def update(self, done: int, total: int, **metrics: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Workspace(Protocol):
    """Durable bytes that survive a kill, private to one stage key and generation.

    ``put`` is atomic; ``get`` returns None for what is missing or damaged. Implementations
    are picklable, so that worker processes can write checkpoints.
    """

    def put(self, name: str, data: bytes) -> None: ...

    def get(self, name: str) -> bytes | None: ...

    def names(self) -> list[str]: ...

    def delete(self, name: str) -> None: ...


@dataclass(frozen=True)
class StageContext:
    """All a stage's run function gets.

    ``inputs`` maps input stage names to local folders that hold those artifacts' files.
    The function writes its files to ``out`` and returns its metrics: JSON values that
    follow from the inputs alone (timings belong to the manifest, which the runner writes).
    """

    config: PipelineConfig
    inputs: Mapping[str, Path]
    out: Path
    work: Workspace
    progress: Progress


@dataclass(frozen=True)
class Stage:
    """One row of the table in ``pipeline.py``."""

    name: str
    #: Raised by hand when the meaning of the output changes.
    version: int
    #: Config sections whose identity fields shape the output.
    sections: tuple[str, ...]
    needs: tuple[str, ...]
    #: "module:function", imported only when the stage runs, so that planning stays quick.
    run: str
    summary: str
    #: "module:function" from the config to JSON parts that join the key (content digests).
    fingerprint: str = ""
    #: "module:function" of the config, asked before a run begins if the stage will run:
    #: raises a ``PixelError`` for what is missing (a key, a program).
    ready: str = ""
    #: Constant arguments passed to ``run`` beside the context.
    arguments: Mapping[str, Any] = field(default_factory=dict)
