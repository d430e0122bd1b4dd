"""The stage around a stand-in of OpenRLHF's program: prepared, killed, gone on, collected."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from rollout_folder import make_model, make_queries
from tiny_world import dialogue

from pixel_core.config import PipelineConfig
from pixel_core.errors import StageFailed
from pixel_core.models.loading import load_model
from pixel_core.records import Annotation, Provenance, Query, Seed, Split, write_jsonl
from pixel_core.training.openrlhf.settings import AgentSettings
from pixel_core.training.openrlhf.stage import run
from pixel_core.workflow.stage import StageContext, UnsharedNotes

STAND_IN = Path(__file__).with_name("stand_in")
RL: dict[str, Any] = {
    "backend": "openrlhf",
    "steps": 5,
    "queries": 2,
    "group": 4,
    "validate_every": 2,
    "openrlhf": {"train_batch": 8, "gpus_per_node": 1, "engines": 1, "save_every": 2},
}


class Heard:
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.notes: list[str] = []

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.steps.append(done)

    def note(self, text: str) -> None:
        self.notes.append(text)


def seed_of(query: Query, split: Split) -> Annotation:
    values = query.model_dump(include=set(Query.model_fields) & set(Seed.model_fields))
    seed = Seed(**values, split=split, provenance=Provenance(source="drawn"))
    return Annotation(seed=seed, cue=None, author="source")


@dataclass
class Run:
    """One computation of the stage: what it starts from, and what survives a kill."""

    root: Path
    work: UnsharedNotes = field(default_factory=UnsharedNotes)

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def folder(self) -> Path:
        (folder,) = (self.scratch / "pixel-openrlhf").iterdir()
        return folder

    def start(self, out: str = "out", **changes: Any) -> tuple[Path, dict[str, Any], Heard]:
        heard = Heard()
        rl = RL | {"openrlhf": RL["openrlhf"] | {"scratch": str(self.scratch)} | changes}
        rl |= {"place": {"on": "ray"}}
        context = StageContext(
            config=PipelineConfig(dialogue=dialogue(), rl=rl),
            inputs={name: self.root / name for name in ("ingest", "annotate", "sft")},
            out=self.root / out,
            work=self.work,
            progress=heard,
        )
        context.out.mkdir()
        return context.out, run(context), heard


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.syspath_prepend(str(STAND_IN))
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    for name in ("ingest", "annotate", "sft"):
        (tmp_path / name).mkdir()
    queries = make_queries(tmp_path / "ingest", 4)
    splits = [Split.TRAIN] * 3 + [Split.VALIDATION]
    records = [seed_of(query, split) for query, split in zip(queries, splits, strict=True)]
    write_jsonl(tmp_path / "annotate" / "annotations.jsonl", records)
    make_model(tmp_path / "sft", dialogue())
    return Run(tmp_path)


def test_from_the_warm_start_to_a_policy(stage: Run) -> None:
    out, metrics, heard = stage.start()
    rows = [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.get("validation_accuracy") for row in rows] == [None, 0.25, None, 0.5, None]
    assert (out / "health.jsonl").read_text() == ""
    assert metrics["steps"] == metrics["kept_step"] == 5
    assert (metrics["queries"], metrics["final_accuracy"]) == (3, 0.5)
    model, _ = load_model(out)
    start, _ = load_model(stage.root / "sft")
    assert torch.equal(model.lm_head.weight, start.lm_head.weight)
    assert heard.steps == [1, 2, 2, 3, 4, 4, 5]
    # What the agent on another node would find.
    settings = AgentSettings.read(stage.folder)
    assert (settings.group, settings.dialogue) == (4, dialogue())
    assert settings.rows == start.lm_head.out_features
    source = Path(run.__code__.co_filename).with_name("agent.py")
    assert (stage.folder / "agent.py").read_bytes() == source.read_bytes()
    assert not (stage.folder / "checkpoints").exists()


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(stage: Run) -> None:
    folder = stage.scratch / "pixel-openrlhf"
    folder.mkdir(parents=True)
    stage.work.put("openrlhf/folder", b"mine")
    (folder / "mine").mkdir()
    # The first kill leaves a folder of checkpoints without any in it.
    for number, step in enumerate((1, 3)):
        (folder / "mine" / "die_at").write_text(str(step))
        with pytest.raises(StageFailed, match="ended with code 9"):
            stage.start(f"killed{number}")
    (folder / "mine" / "die_at").unlink()
    out, _, heard = stage.start()
    assert heard.steps[0] == 3
    assert any("goes on from its last checkpoint" in note for note in heard.notes)
    rows = [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[1]["validation_accuracy"] == 0.25


def test_a_start_that_fails_on_a_cluster_names_the_folder_that_nodes_must_share(
    stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(stage.scratch))
    root = stage.scratch / "pixel-openrlhf" / "mine"
    root.mkdir(parents=True)
    stage.work.put("openrlhf/folder", b"mine")
    (root / "die_at").write_text("0")
    with pytest.raises(StageFailed, match=r"(?s)code 9.*set rl\.openrlhf\.scratch"):
        stage.start(scratch="")


def test_a_trained_run_that_could_not_be_committed_is_not_trained_again(stage: Run) -> None:
    first, metrics, _ = stage.start("first")
    os.utime(stage.folder / "log.txt", ns=(0, 0))
    second, again, heard = stage.start("second")
    assert (stage.folder / "log.txt").stat().st_mtime_ns == 0  # nothing was said to it
    assert heard.steps == []
    assert again == metrics
    for name in ("curve.jsonl", "health.jsonl", "model/model.safetensors", "model/config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_others_left_behind_is_removed_and_what_is_under_way_is_not(stage: Run) -> None:
    others = stage.scratch / "pixel-openrlhf"
    for name in ("collected", "going"):
        (others / name / "final").mkdir(parents=True)
    (others / "collected" / "collected").touch()
    stage.start()
    names = {path.name for path in others.iterdir()}
    assert "going" in names
    assert "collected" not in names
