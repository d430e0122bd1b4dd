"""Stages on a small drawn world, in seconds: a model that knows two habits by heart.

Half of what it says is a call of one and the same box, half is an answer at once; some of its
answers are right. So groups differ, operations are carried out, and RL has work to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import (
    OptimizerConfig,
    PipelineConfig,
    RlConfig,
    SftConfig,
    TinyModelConfig,
)
from pixel_core.config.profile import load_profile
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.sources import ingest
from pixel_core.models.loading import save_model
from pixel_core.records import (
    Annotation,
    Split,
    Trajectory,
    TrajectoryKind,
    Turn,
    read_jsonl,
    write_jsonl,
)
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.tiny.model import build_tiny
from pixel_core.tiny.tokenizer import build_tokenizer
from pixel_core.training import rl, sft, stages
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.store import Store

TINIER = TinyModelConfig(vision_depth=1, vision_hidden=32, layers=2, hidden=64, heads=2)
HABITS = SftConfig(
    steps=40,
    batch=6,
    optimizer=OptimizerConfig(learning_rate=6e-3, schedule="linear", hold=0.5),
    checkpoint_every=20,
)
#: Constant rates: a run of fewer steps is the beginning of a longer one.
CURIOUS = RlConfig(
    steps=4,
    queries=4,
    group=4,
    optimizer=OptimizerConfig(learning_rate=1e-3),
    validation_questions=6,
    checkpoint_every=2,
)


class Cut(Exception):
    """The run ends here, between two checkpoints, as if killed."""


class Heard:
    """A ``Progress`` that keeps the notes, and cuts the run after a number of steps."""

    def __init__(self, cut_at: int = -1) -> None:
        self.notes: list[str] = []
        self._cut_at = cut_at

    def update(self, done: int, total: int, **metrics: float) -> None:
        if done == self._cut_at:
            raise Cut

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Ran:
    """What one stage left behind."""

    out: Path
    metrics: dict[str, Any]
    notes: list[str]

    def curve(self) -> list[dict[str, float]]:
        return _lines(self.out / "curve.jsonl")

    def health(self) -> list[dict[str, Any]]:
        return _lines(self.out / "health.jsonl")

    def weights(self) -> bytes:
        return (self.out / "model" / "model.safetensors").read_bytes()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class SmallRun:
    """Input artifacts below ``root``; each stage runs as the runner would run it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = load_profile(
            "smoke",
            [
                "ingest.drawn.train=24",
                "ingest.drawn.validation=6",
                "ingest.drawn.test=2",
                "dialogue.max_operations=2",
            ],
        )
        self.inputs: dict[str, Path] = {}
        for name, function in (("ingest", ingest.run), ("annotate", annotate.run)):
            out = self._folder(name)
            function(self._context(name, self.config, out, Heard()))
            self.inputs[name] = out
        self.inputs["synthesize"] = self._folder("synthesize")
        write_jsonl(self.inputs["synthesize"] / "trajectories.jsonl", self._habits())
        self.inputs["text_only"] = self._folder("text_only")
        write_jsonl(self.inputs["text_only"] / "trajectories.jsonl", [])
        self.inputs["base_model"] = self._folder("base_model")
        tokenizer = build_tokenizer(self.config.dialogue)
        model = build_tiny(TINIER, tokenizer, seed=0)
        save_model(model, tokenizer, self.inputs["base_model"])

    def sft(self, name: str, section: SftConfig) -> Ran:
        """In this process; see ``rl``."""
        return self._here(sft.tune, name, section, Heard())

    def rl(self, name: str, section: RlConfig, cut_at: int = -1) -> Ran:
        """In this process, one worker. ``name`` names the workspace too: the same name again
        goes on from there. ``Cut`` after ``cut_at`` steps."""
        return self._here(rl.reinforce, name, section, Heard(cut_at))

    def staged(self, name: str, workers: int = 1, **sections: Any) -> Ran:
        """As the runner runs it: the stage of the one section given, in worker processes."""
        runtime = self.config.runtime.model_copy(update={"workers": workers})
        config = self.config.model_copy(update={"runtime": runtime, **sections})
        out, heard = self._folder(name), Heard()
        [stage] = sections
        run = {"rl": stages.rl, "sft": stages.sft}[stage]
        return Ran(out, run(self._context(name, config, out, heard)), heard.notes)

    def _here(self, function: Any, name: str, section: Any, heard: Heard) -> Ran:
        team = WorkerGroup(0, 1, (0, 1), 2, heard)
        context = self._context(name, self.config, self._folder(name), heard)
        dialogue = self.config.dialogue
        metrics = function(
            team, section, dialogue, dict(self.inputs), context.work, context.out
        )
        return Ran(context.out, metrics, heard.notes)

    def _context(
        self, name: str, config: PipelineConfig, out: Path, heard: Heard
    ) -> StageContext:
        work = Store.open(str(self.root / "store")).workspace(name, "0" * 64)
        return StageContext(config, dict(self.inputs), out, work, heard)

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def _habits(self) -> list[Trajectory]:
        dialogue = self.config.dialogue
        call = format_call(ZoomCall(box=(0, 0, 56, 56), target=1), dialogue.zoom)
        habits = []
        path = self.inputs["annotate"] / "annotations.jsonl"
        for number, annotation in enumerate(read_jsonl(path, Annotation)):
            seed = annotation.seed
            if seed.split is not Split.TRAIN:
                continue
            answer = Turn(text=f"\\boxed{{{seed.answers[0] if number % 2 else 'yes'}}}")
            for kind, turns in (
                (TrajectoryKind.DIRECT, (answer,)),
                (TrajectoryKind.SINGLE_PASS, (Turn(text=call), answer)),
            ):
                name = f"{seed.id}/{kind.value}"
                habits.append(Trajectory(id=name, seed_id=seed.id, kind=kind, turns=turns))
        return habits
