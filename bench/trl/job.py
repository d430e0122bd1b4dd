"""The input of both sides of the comparison with TRL, as one JSON file.

Plain values, because they cross from our environment into TRL's: the policy's folder, the
pictures' archive, the questions of a run in their order, and the settings.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter

from pixel_core.config import DialogueConfig, RlConfig
from pixel_core.records import Query


@dataclass(frozen=True)
class Placing:
    """How a program uses the cores. ``processes`` train data-parallel, with ``threads`` each;
    ``pieces`` split the gradient of a step (TRL only), never its generation."""

    processes: int
    threads: int
    pieces: int = 1

    @property
    def text(self) -> str:
        processes = f"{self.processes} process{'es' if self.processes > 1 else ''}"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        pieces = f", the gradient in {self.pieces} pieces" if self.pieces > 1 else ""
        return f"{processes} x {threads}{pieces}"


@dataclass(frozen=True)
class Job:
    #: Folders that contain ``model/`` and ``pictures.zip``.
    policy: str
    ingest: str
    rl: RlConfig
    dialogue: DialogueConfig
    queries: tuple[Query, ...]
    #: Tokens that are never sampled.
    banned: tuple[int, ...]
    #: Tokens of the first query's prompt, and of a return that shows its picture again, as in
    #: our episodes: the peer must write the same.
    prompt: tuple[int, ...]
    returned: tuple[int, ...]
    placing: Placing

    def write(self, path: Path) -> None:
        path.write_bytes(_JOB.dump_json(self))

    @classmethod
    def read(cls, path: Path) -> Job:
        return _JOB.validate_json(path.read_bytes())


_JOB: TypeAdapter[Job] = TypeAdapter(Job)


@dataclass(frozen=True)
class Work:
    """Statistics of the rollouts of one or more steps."""

    rollouts: int = 0
    #: Rollouts that continued after a call had returned a picture.
    multi_turn: int = 0
    #: Tokens sampled from the policy.
    tokens: int = 0
    #: Rollouts of groups without an advantage, whose gradient was not computed.
    left_out: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.rollouts + other.rollouts,
            self.multi_turn + other.multi_turn,
            self.tokens + other.tokens,
            self.left_out + other.left_out,
        )


@dataclass(frozen=True)
class Steps:
    """The steps of one run after its warm-up: seconds of each, and their total work."""

    seconds: tuple[float, ...]
    work: Work

    @property
    def seconds_a_step(self) -> float:
        return statistics.median(self.seconds)

    @property
    def seconds_a_trajectory(self) -> float:
        """For multi-turn trajectories only; their share is taken over all steps together."""
        if not self.work.multi_turn:
            raise SystemExit("no rollout was multi-turn: take a policy that uses its operation")
        return self.seconds_a_step * len(self.seconds) / self.work.multi_turn

    @classmethod
    def between(cls, ended: Sequence[float], work: Work) -> Steps:
        """From the times when the last warm-up step and each later step ended."""
        return cls(tuple(after - before for before, after in pairwise(ended)), work)
