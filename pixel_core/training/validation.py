"""How a model in training answers the validation questions; never the test questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.records import Query, Seed, Split
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.queries import QueryReader, queries_of
from pixel_core.training.loop import Row
from pixel_core.training.trainee import ModelInTraining
from pixel_core.workflow.parallel.team import WorkerGroup


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
