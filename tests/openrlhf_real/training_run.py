"""One training by OpenRLHF, killed in the middle and gone on with; and what was recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from make_stage import settings
from private_ray import private_ray

from pixel_core.config import PipelineConfig
from pixel_core.training.openrlhf.places import RunFolder
from pixel_core.workflow.store import Artifact, Store

HERE = Path(__file__).parent
#: The first start is killed once this step's checkpoint is whole. Not one that is followed by
#: a validation, which a run that goes on from there does not make up for.
KILL_AFTER = 3
#: Generous: other work may share the machine.
LIMIT_S = 900.0

Recorded = dict[str, Any]


@dataclass
class TrainingRun:
    root: Path
    config: PipelineConfig
    #: The step of the checkpoint that the second start found.
    saved: int = 0
    #: Its weights, bfloat16, by name.
    saved_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    #: Steps that the first start trained.
    trained_before: int = 0
    #: Seconds of the two starts.
    seconds: list[float] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store.open(str(self.root / "store"))

    @property
    def scratch(self) -> str:
        return str(self.root / "scratch")

    @property
    def folder(self) -> RunFolder:
        (place,) = (self.root / "scratch").glob("*/*/agent.py")
        return RunFolder(place.parent)

    def artifact(self, stage: str) -> Artifact:
        found = self.store.latest(stage)
        assert found is not None, f"{stage} was not made"
        return found

    @cached_property
    def steps(self) -> list[Recorded]:
        """In order, those that were done again after the kill only the second time."""
        all_steps = self._recorded("steps")
        return [*all_steps[: self.saved], *all_steps[self.trained_before :]]

    @cached_property
    def rollouts(self) -> list[Recorded]:
        return self._recorded("rollouts")

    @property
    def sampled(self) -> list[Recorded]:
        return [rollout for rollout in self.rollouts if rollout["temperature"] > 0]

    @property
    def greedy(self) -> list[Recorded]:
        """Answers to validation questions."""
        return [rollout for rollout in self.rollouts if rollout["temperature"] == 0]

    def validation_at(self, step: int) -> list[Recorded]:
        """The greedy answers after a step that ran in this order: each asks all questions."""
        count, every = self.config.rl.validation_questions, self.config.rl.validate_every
        assert len(self.greedy) == count * (self.config.rl.steps // every)
        place = step // every - 1
        return self.greedy[place * count : (place + 1) * count]

    @property
    def curve(self) -> list[dict[str, float]]:
        text = (self.artifact("rl").local() / "curve.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def rollout_of(self, item: Recorded) -> Recorded:
        """What an item that was trained on was made of."""
        tokens = item["sequences"].flatten().tolist()
        (label,) = item["labels"]  # other pictures can have the same tokens
        for rollout in self.sampled:
            made = rollout["response"]["observation_tokens"]
            if made == tokens and rollout["label"] == label:
                return rollout
        raise AssertionError("the trainer was given a sequence that no rollout ended with")

    def _recorded(self, kind: str) -> list[Recorded]:
        files = sorted((self.root / "record" / kind).glob("*.pt"))
        return [torch.load(file, weights_only=False) for file in files]


@contextmanager
def killed_and_resumed(root: Path, environment: Mapping[str, str]) -> Iterator[TrainingRun]:
    scratch = root / "scratch"
    scratch.mkdir()
    run = TrainingRun(root, settings(str(scratch)))
    recorded = {**environment, "OPENRLHF_RECORD": str(root / "record")}
    with private_ray(recorded) as address:
        surroundings = {**os.environ, "RAY_ADDRESS": address}
        first = _start(run, "rl", surroundings)
        started = time.monotonic()
        try:
            _wait_for_checkpoint(run, first)
        finally:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        run.seconds.append(time.monotonic() - started)
        _keep_what_was_saved(run)
        started = time.monotonic()
        second = _start(run, "answers_policy", surroundings)
        try:
            code = second.wait(LIMIT_S)
        finally:
            second.kill()
        run.seconds.append(time.monotonic() - started)
        assert code == 0, _last_of(run.root / "answers_policy.log")
        yield run


def _start(
    run: TrainingRun, stage: str, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "make_stage.py"), str(run.root / "store")]
    with (run.root / f"{stage}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, run.scratch, stage], stdout=log, stderr=log, env=environment
        )


def _wait_for_checkpoint(run: TrainingRun, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, _last_of(run.root / "rl.log")
        for latest in Path(run.scratch).glob("*/*/checkpoints/_actor/latest"):
            if _step(latest) >= KILL_AFTER:
                return
        time.sleep(0.2)
    raise AssertionError(f"no checkpoint of step {KILL_AFTER} within {LIMIT_S:g} s")


def _keep_what_was_saved(run: TrainingRun) -> None:
    """Read once the trainer has ended too: the kernel ends it with the stage."""
    states = run.folder.checkpoints / "_actor"
    _wait_for_end_of_writing(run)
    run.saved = _step(states / "latest")
    run.trained_before = len(list((run.root / "record" / "steps").glob("*.pt")))
    state = torch.load(
        states / f"global_step{run.saved}" / "mp_rank_00_model_states.pt", weights_only=False
    )
    run.saved_weights = state["module"]


def _wait_for_end_of_writing(run: TrainingRun) -> None:
    trainer = str(run.folder.agent)  # among its arguments
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(trainer in _command(process) for process in Path("/proc").glob("[0-9]*")):
            time.sleep(5)  # for Ray to end its actors
            return
        time.sleep(0.2)
    raise AssertionError("the trainer outlived the stage that was killed by a minute")


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _step(latest: Path) -> int:
    return int(latest.read_text(encoding="utf-8").strip().removeprefix("global_step"))


def _last_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]
