"""Annotating by a stand-in model: its server, seeds of each kind, and runs of the stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn_seeds import context_on, write_ingest

from pixel_core.config import DrawnConfig, IngestConfig, PipelineConfig
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.sources import ingest
from pixel_core.dev.annotator.script import Script, ScriptRule
from pixel_core.dev.annotator.server import AnnotatorServer
from pixel_core.records import Annotation, Box, Cue, Split, read_jsonl, write_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store.local_storage import LocalStorage
from pixel_core.workflow.store.workspace import StoredWorkspace

KEY = "sk-test-4f1d0c2b9a8e7766"
SEEDS = 12

Make = Callable[..., StageContext]


class Told(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.updates: list[tuple[int, int, dict[str, float]]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates.append((done, total, metrics))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnnotatorServer]:
    monkeypatch.setenv("TEST_ANNOTATOR_KEY", KEY)
    with AnnotatorServer(key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve digit questions; of the third and the last one the split is test, with a cue."""
    folder = tmp_path_factory.mktemp("drawn") / "ingest"
    seeds = write_ingest(folder, SEEDS)
    for place in (2, SEEDS - 1):
        cue = Cue(box=Box(x1=1, y1=2, x2=30, y2=40))
        held_out = {"split": Split.TEST, "cue": cue}
        seeds[place] = seeds[place].model_copy(update=held_out)
    write_jsonl(folder / "seeds.jsonl", seeds)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "ingest"
    write_ingest(folder, 4, asking=False)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn videos, four of them to train on, whose cues the source knows."""
    folder = tmp_path_factory.mktemp("clips") / "ingest"
    folder.mkdir()
    world = DrawnConfig(train=4, validation=1, test=1, video_share=1.0)
    config = PipelineConfig(ingest=IngestConfig(drawn=world))
    unused = StoredWorkspace(LocalStorage(folder.parent / "store"), "work/ingest", "0")
    ingest.run(StageContext(config, {}, folder, unused, SilentProgress()))
    return folder


@pytest.fixture
def make(tmp_path: Path, server: AnnotatorServer, drawn: Path) -> Make:
    """Contexts on one store, as the runs before and after a crash are."""

    def made(folder: Path = drawn, store: str = "store", **openai: object) -> StageContext:
        settings = {"timeout_s": 60.0, **openai}  # the machine may be busy
        return context_on(folder, tmp_path / store, server.url, Told(), **settings)

    return made


def told(context: StageContext) -> Told:
    assert isinstance(context.progress, Told)
    return context.progress


def written(context: StageContext) -> list[Annotation]:
    return list(read_jsonl(context.out / annotate.ANNOTATIONS, Annotation))


def asked(server: AnnotatorServer) -> Counter[str]:
    """Requests that arrived, by the schema they asked for."""
    return Counter(entry.schema for entry in server.journal.entries("chat"))


def behave(server: AnnotatorServer, *rules: ScriptRule) -> None:
    server.behave(Script(rules=rules))
