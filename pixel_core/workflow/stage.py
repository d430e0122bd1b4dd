"""What a stage is: a function from input artifacts and a config to one output artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pixel_core.config import PipelineConfig, PlaceConfig


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


class SharedNotes(Workspace, Protocol):
    """A ``Workspace`` that all runs of the stage share, whatever their key: what was paid
    for. Write to it only while holding it."""

    @property
    def owner(self) -> str:
        """The computation that uses the notes now; the same after a kill."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each object by name, in order; damaged ones included."""

    def salvage(self, name: str) -> bytes | None:
        """The bytes of an object as they are, damaged or not."""

    def hold(self, say: Callable[[str], None]) -> AbstractContextManager[Callable[[], None]]:
        """Wait until no other run holds the notes, then hold them. Gives a check that
        raises once that is no longer so."""


class UnsharedNotes:
    """Notes that end with the process, for callers that run a stage on its own."""

    owner = "alone"

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        self._data[name] = data

    def get(self, name: str) -> bytes | None:
        return self._data.get(name)

    salvage = get

    def names(self) -> list[str]:
        return sorted(self._data)

    def sizes(self) -> dict[str, int]:
        return {name: len(self._data[name]) for name in self.names()}

    def delete(self, name: str) -> None:
        self._data.pop(name, None)

    def hold(self, say: Callable[[str], None]) -> AbstractContextManager[Callable[[], None]]:
        return nullcontext(lambda: None)


class StoredInput(Protocol):
    """An input's files, wherever they are stored. Picklable: another machine can fetch them."""

    def local(self) -> Path:
        """A folder of the files on the machine that asks. Raises ``StorageError``."""


@dataclass(frozen=True)
class LocalFolder:
    """Files that are in no store: only machines that share the folder have them."""

    folder: Path

    def local(self) -> Path:
        return self.folder


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
    shared: SharedNotes = field(default_factory=UnsharedNotes)
    #: A local folder for what can be made again from the rest; None: keep it in memory.
    cache: Path | None = None
    #: What each input cost to make, by stage, as its manifest says; no part of its identity.
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    #: How long each input took to make, in seconds, by stage; no part of its identity either.
    timings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    #: The inputs as they are stored; see ``located``.
    artifacts: Mapping[str, StoredInput] = field(default_factory=dict)

    def located(self, name: str) -> StoredInput:
        """An input, for a process on another machine: ``inputs`` are folders of this one."""
        return self.artifacts.get(name) or LocalFolder(self.inputs[name])


@dataclass(frozen=True)
class Prediction:
    """What a stage's run would cost: US dollars (None: unknown), and a line that says so."""

    usd: float | None
    words: str


@dataclass(frozen=True)
class Stage:
    """One row of the table in ``workflow/table.py``."""

    name: str
    #: Raised by hand when the meaning of the output changes.
    version: int
    #: Config sections whose identity fields shape the output; a part of one has a dotted name
    #: ("benchmarks.vstar").
    sections: tuple[str, ...]
    needs: tuple[str, ...]
    #: "module:function", imported only when the stage runs, so that planning stays quick.
    run: str
    summary: str
    #: "module:function" from the config, and ``arguments``, to JSON parts that join the key
    #: (content digests).
    fingerprint: str = ""
    #: "module:function" of the config, asked before a run begins if the stage will run:
    #: raises a ``PixelError`` for what is missing (a key, a program).
    ready: str = ""
    #: "module:function" of the config, the input artifacts (None while they are still to be
    #: made), the shared notes and the cache: the ``Prediction`` of what a run would cost, or
    #: None where it costs no money.
    predict: str = ""
    #: By input stage, "module:function" of that input's metrics, asked as soon as the input
    #: is there, long before this stage's turn: raises a ``PixelError`` for what would stop it.
    foresees: Mapping[str, str] = field(default_factory=dict)
    #: By the value of ``backend`` in the first of ``sections``: what runs instead of ``run``.
    backends: Mapping[str, str] = field(default_factory=dict)
    #: Patterns of input files that the stage never opens: a remote store is not asked for them.
    unread: tuple[str, ...] = ()
    #: Dotted fields of ``sections`` that shape nothing in this stage; they join no key.
    unused: frozenset[str] = frozenset()
    #: Constant arguments passed to ``run`` beside the context.
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def function(self, config: PipelineConfig) -> str:
        """ "module:function" of what makes the stage under this configuration."""
        backend = getattr(self.section(config), "backend", "")
        return self.backends.get(backend, self.run)

    def place(self, config: PipelineConfig) -> PlaceConfig:
        """Where the stage runs; a stage whose section names no place runs here."""
        return getattr(self.section(config), "place", PlaceConfig())

    def section(self, config: PipelineConfig) -> Any:
        """The first of ``sections``: where the stage's place and backend stand."""
        return section_of(config, self.sections[0]) if self.sections else None


def section_of(config: PipelineConfig, dotted: str) -> Any:
    """The section of that name, or the part of one."""
    found: Any = config
    for name in dotted.split("."):
        found = found[name] if isinstance(found, Mapping) else getattr(found, name)
    return found
