"""How a model in training answers the validation questions; never the test questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.records import Query, Seed, Split
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.queries import QueryReader, queries_of
from pixel_core.training.loop import Row
from pixel_core.training.trainee import ModelInTraining
from pixel_core.workflow.parallel.team import WorkerGroup

# The best weights so far by validation score, kept with every checkpoint.


class BestWeights:
    """Part of the checkpoint (``loop.Stateful``), so that a killed run still has the weights
    that go with the score. Only the leader holds them: it writes the artifact."""

    def __init__(self, team: WorkerGroup, model: Any) -> None:
        self._team = team
        self._model = model
        self._weights: dict[str, Any] | None = None
        #: Steps done when they were taken; 0: nothing was scored yet.
        self.step = 0
        self.score = -1.0

    def offer(self, step: int, score: float) -> None:
        """The present weights, after ``step`` steps; of equal scores the earliest is kept."""
        if score > self.score:
            self.step, self.score = step, score
            if self._team.leads:
                self._weights = {
                    name: value.detach().clone()
                    for name, value in self._model.state_dict().items()
                }

    def restore(self) -> None:
        """Put the best weights into the leader's model."""
        if self._weights is not None:
            self._model.load_state_dict(self._weights)

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "score": self.score, "weights": self._weights}

    def load(self, state: dict[str, Any]) -> None:
        self.step, self.score = state["step"], state["score"]
        self._weights = state["weights"] if self._team.leads else None


def validation_queries(seeds: Sequence[Seed], count: int) -> list[Query]:
    """The first ``count`` validation questions; ``DataError`` when there is none."""
    return queries_of(seeds, Split.VALIDATION, "the annotate stage")[:count]


@dataclass(frozen=True)
class Validation:
    """``samples`` answers a question. Shards are batches of their own, as in training, with
    their own random streams: the scores do not depend on how many workers share them."""

    team: WorkerGroup
    trainee: ModelInTraining
    ingest: Path
    queries: Sequence[Query]
    sampling: SamplingConfig
    #: Names the random streams.
    stream: str
    samples: int = 1

    def score(self, step: int) -> Row:
        """``validation_accuracy`` and ``validation_rapr``, shares of the answers, with the
        weights as they are after ``step`` (from 0); where an operation was executed, also
        ``validation_accuracy_with_operation``, the share of those answers that are right."""
        prompts = self.trainee.prompts
        questions = QueryReader(self.ingest, prompts)
        engine = EmbeddedEngine(self.trainee.model, self.trainee.vocabulary)
        counts = torch.zeros(4, dtype=torch.float64)
        for shard in self.team.shards:
            engine.reseed(stream_seed(self.stream, step, shard))
            openings = [questions.open(q) for q in self.queries[shard :: self.team.shard_count]]
            episodes = run_episodes(engine, prompts, openings, self.samples, self.sampling)
            for episode in episodes:
                used, right = episode.operations > 0, episode.correct
                counts += torch.tensor([1.0, right, used, used and right])
        total, right, used, both = self.team.sum(counts).tolist()
        row = {"validation_accuracy": right / total, "validation_rapr": used / total}
        if used:
            row["validation_accuracy_with_operation"] = both / used
        return row
