"""The stages that answer, by Ray actors or an endpoint: the bytes of this machine's workers."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chat_server import MODEL, serving
from memorised import memorised
from mortal import mortal
from tiny_world import dialogue

from pixel_core.config import EndpointEngineConfig, EngineConfig, PipelineConfig, TextOnlyConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.sources import ingest
from pixel_core.evaluation import answers
from pixel_core.evaluation.chunks import work_through
from pixel_core.models.loading import save_model
from pixel_core.records import Split
from pixel_core.rollout.queries import read_queries
from pixel_core.training import text_only
from pixel_core.training.batching import DrawnOrder
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store import Store

SIZES = [
    "ingest.drawn.train=6",
    "ingest.drawn.validation=1",
    "ingest.drawn.test=6",
    "answers.chunk=2",
    "answers.samples=2",
]


class Heard(SilentProgress):
    """Keeps the notes; Ctrl-C comes at an update."""

    def __init__(self, interrupted_at: int = 0) -> None:
        self.notes: list[str] = []
        self._left = interrupted_at

    def note(self, text: str) -> None:
        self.notes.append(text)

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


class Counted:
    """A workspace that counts what is put."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self.puts: Counter[str] = Counter()

    def put(self, name: str, data: bytes) -> None:
        self.puts[name] += 1
        self._work.put(name, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


def config(**sections: Any) -> PipelineConfig:
    loaded = load_profile("smoke", SIZES)
    return loaded.model_copy(update={"dialogue": dialogue(), **sections})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("inputs")
    folders = {name: root / name for name in ("ingest", "annotate", "synthesize", "model")}
    for folder in folders.values():
        folder.mkdir()
    for name, function in (("ingest", ingest.run), ("annotate", annotate.run)):
        work = Store.open(str(root / "store")).workspace(name, "0" * 64)
        made = StageContext(config(), folders, folders[name], work, SilentProgress())
        function(made)
    (folders["synthesize"] / "trajectories.jsonl").write_text("{}\n" * 3)
    world = memorised().world
    save_model(world.model, world.vocabulary.tokenizer, folders["model"])
    return folders | {"base_model": folders["model"]}


def stage(
    folder: Path, inputs: dict[str, Path], settings: PipelineConfig, heard: Heard
) -> StageContext:
    """A run of a stage; the same folder again goes on from there."""
    out = folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    work = Counted(Store.open(str(folder / "store")).workspace("stage", "0" * 64))
    return StageContext(settings, inputs, out, work, heard)


def by_actors(settings: PipelineConfig, section: str, actors: int = 1) -> PipelineConfig:
    values = getattr(settings, section)
    engine = values.engine.model_copy(update={"actors": actors})
    return settings.model_copy(update={section: values.model_copy(update={"engine": engine})})


def made_by(context: StageContext) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in context.out.iterdir()}


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_a_killed_actor_and_an_interrupted_run_change_no_byte(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = stage(tmp_path / "local", inputs, config(), Heard())
    section = local.config.answers
    queries = read_queries(inputs["ingest"], Split.TEST)
    chunks = answers.plan_chunks(queries, section)
    alone = WorkerGroup(0, 1, (0,), 1, local.progress)
    opened = (section, local.config.dialogue, local.located("ingest"), local.located("model"))
    work_through(alone, answers.HeldOutAnswerer, opened, local.work, chunks)

    monkeypatch.setattr(answers, "Answerer", mortal)
    pooled = by_actors(config(), "answers")
    heard = Heard(interrupted_at=3)
    first = stage(tmp_path / "pooled", inputs, pooled, heard)
    with pytest.raises(KeyboardInterrupt):
        answers.run(first, "model")
    (note,) = [note for note in heard.notes if "an actor was lost" in note]
    assert "over the 2 questions of greedy-00001" in note
    kept = ["greedy-00000", "greedy-00001", "greedy-00002"]
    assert first.work.puts == dict.fromkeys(kept, 1)

    second = stage(tmp_path / "pooled", inputs, pooled, Heard())
    metrics = answers.run(second, "model")
    assert second.work.puts == {chunk.name: 1 for chunk in chunks if chunk.name not in kept}

    # All chunks are durable on both sides: collecting them needs no model and no actor.
    made_here = dataclasses.replace(local, config=pooled)
    assert answers.run(made_here, "model") == metrics
    assert made_by(second) == made_by(made_here)
    assert {file: len(data.splitlines()) for file, data in made_by(second).items()} == {
        "queries.jsonl": 6,
        "greedy.jsonl": 6,
        "sampled.jsonl": 12,
        "settings.json": made_by(local)["settings.json"].count(b"\n") + 1,
    }
    # Where answers were made is no part of the artifact.
    assert b"actors" not in made_by(second)["settings.json"]


def test_an_endpoint_gives_the_greedy_answers_and_says_what_they_cost(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    local = stage(tmp_path / "local", inputs, config(), Heard())
    section = local.config.answers
    chunks = answers.plan_chunks(read_queries(inputs["ingest"], Split.TEST), section)
    opened = (section, local.config.dialogue, local.located("ingest"), local.located("model"))
    alone = WorkerGroup(0, 1, (0,), 1, local.progress)
    work_through(alone, answers.HeldOutAnswerer, opened, local.work, chunks[:3])

    with serving(memorised().world) as (url, server):
        endpoint = EndpointEngineConfig(base_url=url, model=MODEL, api_key_env="")
        engine = EngineConfig(kind="endpoint", endpoint=endpoint)
        settings = config(answers=section.model_copy(update={"engine": engine}))
        asked = stage(tmp_path / "asked", inputs, settings, Heard())
        metrics = answers.run(asked, "model")
    for chunk in chunks[:3]:
        assert asked.work.get(chunk.name) == local.work.get(chunk.name)
    costs = json.loads(asked.work.get("costs.json"))
    assert costs["requests"] == len(server.transcripts)
    assert costs["prompt_tokens"] == sum(map(len, server.transcripts))
    assert "prompt_tokens" not in metrics
    # The model that answered is part of what the artifact is; its address is not.
    kept = json.loads((asked.out / "settings.json").read_text())
    assert kept["engine"] == {"kind": "endpoint", "endpoint": {"model": MODEL}}


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_text_only_samples_are_the_same_however_they_were_sampled(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    section = TextOnlyConfig(share=0.25, chunk=1, samples=2)
    settings = config(text_only=section)
    local = stage(tmp_path / "local", inputs, settings, Heard())
    order = DrawnOrder.of(inputs["annotate"] / "annotations.jsonl", "text_only/0")
    alone = WorkerGroup(0, 1, (0,), 1, local.progress)
    opened = (section, settings.dialogue, local.located("ingest"), local.located("model"))
    text_only.sample(alone, *opened, local.work, order, 1)

    pooled = stage(tmp_path / "pooled", inputs, by_actors(settings, "text_only", 2), Heard())
    metrics = text_only.run(pooled)
    assert metrics["wanted"] == 1
    # Two at a time, so at most one more than was needed.
    assert set(local.work.puts) <= set(pooled.work.puts)
    assert len(pooled.work.puts) - len(local.work.puts) <= 1
    assert {name: pooled.work.get(name) for name in local.work.puts} == {
        name: local.work.get(name) for name in local.work.puts
    }
    assert text_only.run(dataclasses.replace(local, config=pooled.config)) == metrics
    assert made_by(pooled) == made_by(local)
