"""One shard of an RL step: roll out, reward, and take the gradient.

A shard fills its share of the batch in this order: its queries of the step; up to
``resample_rounds`` rounds of fresh queries for the places of groups whose rewards are all
equal; replayed samples for the places that are still empty. What a step reads follows from
its number alone: extra queries have an order of their own, so the epochs of the main one stay
whole, and the shards draw from streams of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pixel_core.config import RlConfig
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.records import Query, StopReason
from pixel_core.rewards.advantages import advantages
from pixel_core.rewards.duals import Duals
from pixel_core.rewards.shaping import ShapedRewards, excess, shape
from pixel_core.rollout.episode import Episode, RenderedPrompt, run_episodes
from pixel_core.rollout.queries import QueryReader
from pixel_core.statistics.hits import Evidence
from pixel_core.training.batching import Order
from pixel_core.training.loop import Row
from pixel_core.training.operation_use import use_counts
from pixel_core.training.policy_loss import Sample, learn
from pixel_core.training.replay import Remembered, Replay, restore
from pixel_core.training.trainee import ModelInTraining
from pixel_core.workflow.parallel.team import WorkerGroup


class DualVariables:
    """The multipliers of the ``lagrangian`` reward, moved once a step by the whole batch; part
    of the checkpoint (``loop.Stateful``)."""

    def __init__(self, config: RlConfig) -> None:
        self._config = config.reward
        self.duals = Duals.start(config.reward.lagrangian)

    def after(self, row: Row) -> Row:
        """Follow a step's row; returns the prices that were in force in it, for the curve."""
        before = self.duals
        self.duals = before.updated(row["rapr"], row["excess_calls"], self._config)
        return {"dual_rapr": before.rapr, "dual_operations": before.operations}

    def state(self) -> dict[str, float]:
        return asdict(self.duals)

    def load(self, state: dict[str, float]) -> None:
        self.duals = Duals(**state)


@dataclass
class _Batch:
    """What a shard has gathered for its update."""

    row: Row
    groups: int = 0
    rounds: int = 0
    samples: list[Sample] = field(default_factory=list)
    to_remember: list[Remembered] = field(default_factory=list)


class RlShard:
    """Called by the loop with (step, shard)."""

    def __init__(
        self,
        team: WorkerGroup,
        trainee: ModelInTraining,
        config: RlConfig,
        ingest: Path,
        queries: list[Query],
        *,
        prices: DualVariables | None = None,
        replay: Replay | None = None,
        reference: Any = None,
        places: Mapping[str, Evidence] | None = None,
    ) -> None:
        self.team = team
        self.trainee = trainee
        self.config = config
        self.queries = queries
        self.prices = prices
        self.replay = replay
        self.reference = reference
        #: Where the evidence is, by question, for the curve alone.
        self.places = places or {}
        self.questions = QueryReader(ingest, trainee.prompts)
        self.order = Order(len(queries), config.queries, f"rl/{config.seed}")
        self.extra = Order(len(queries), config.queries, f"rl/{config.seed}/extra")
        self.engine = EmbeddedEngine(trainee.model, trainee.vocabulary)

    def __call__(self, step: int, shard: int) -> Row:
        config = self.config
        self.engine.reseed(stream_seed("rl", config.seed, step, shard))
        batch = _Batch(_no_counts(config) | use_counts([], self.places))
        taken = self.order.at(step)[shard :: self.team.shard_count]
        missing = len(taken) - self._roll_out(step, taken, batch)
        for fresh in extra_rounds(self.order, self.extra, step, config.resample_rounds):
            if not missing:
                break
            mine = fresh[shard :: self.team.shard_count]
            missing -= self._roll_out(step, mine[:missing], batch)
        row = batch.row
        row["uniform_groups/n"] = float(batch.groups)
        if config.resample_rounds:
            row |= {"rounds": float(batch.rounds), "rounds/n": 1.0}
        replayed: list[Sample] = []
        if self.replay is not None:
            replayed = self._replayed(step, shard, missing * config.group, batch)
        return row | learn(
            self.trainee.model,
            batch.samples,
            self.trainee.vocabulary,
            config,
            replayed=replayed,
            reference=self.reference,
        )

    def _open(self, place: int) -> RenderedPrompt:
        return self.questions.open(self.queries[place])

    def _roll_out(self, step: int, taken: list[int], batch: _Batch) -> int:
        """One round; returns how many of its groups have an advantage."""
        config = self.config
        if not taken:
            return 0
        episodes = run_episodes(
            self.engine,
            self.trainee.prompts,
            [self._open(place) for place in taken],
            config.group,
            config.sampling,
        )
        _add(batch.row, _counts(episodes, config))
        _add(batch.row, use_counts(episodes, self.places))
        batch.rounds += 1
        batch.groups += len(taken)
        useful = 0
        for number, place in enumerate(taken):
            group = episodes[number * config.group : (number + 1) * config.group]
            shaped = self._shaped(group)
            _add(batch.row, _reward_sums(shaped))
            advantage_g = advantages(shaped.total, config.advantage)
            if not advantage_g.any():
                batch.row["uniform_groups"] += 1
                continue
            useful += 1
            for episode, advantage in zip(group, advantage_g.tolist(), strict=True):
                batch.samples.append(Sample(episode.transcript, advantage))
                if self.replay is not None:
                    batch.to_remember.append(Remembered.of(step, place, advantage, episode))
        return useful

    def _shaped(self, group: list[Episode]) -> ShapedRewards:
        return shape(
            [episode.correct for episode in group],
            [episode.operations > 0 for episode in group],
            [episode.attempts for episode in group],
            self.config.reward,
            last_failed_g=[episode.last_failed for episode in group],
            video=group[0].video,
            duals=self.prices.duals if self.prices is not None else None,
        )

    def _replayed(self, step: int, shard: int, places: int, batch: _Batch) -> list[Sample]:
        """Samples for the empty places; then this step's own are remembered."""
        assert self.replay is not None
        buffer = self.replay.buffers[shard]
        buffer.begin(step)
        stream = stream_seed("rl/replay", self.config.seed, step, shard)
        drawn = buffer.draw(places, random.Random(stream))
        batch.row |= {
            "replayed": float(len(drawn)),
            "replayed/n": float(len(drawn) + len(batch.samples)),
            "replay_age": float(sum(step - sample.step for sample in drawn)),
            "replay_age/n": float(len(drawn)),
        }
        buffer.add(batch.to_remember)
        batch.row |= {"buffer_size": float(len(buffer.samples)), "buffer_size/n": 1.0}
        return restore(drawn, self._open)


def extra_rounds(order: Order, extra: Order, step: int, rounds: int) -> Iterator[list[int]]:
    """For each further round of a step the queries that its shards may share among them:
    none that the step has had before. A function of the step alone."""
    met = set(order.at(step))
    for number in range(rounds):
        drawn = extra.at(step * rounds + number)
        fresh = [place for place in dict.fromkeys(drawn) if place not in met]
        met.update(fresh)
        yield fresh


def _no_counts(config: RlConfig) -> Row:
    return _counts([], config) | {"uniform_groups": 0.0}


def _counts(episodes: list[Episode], config: RlConfig) -> Row:
    """Sums over rollouts; the keys ``x/n`` say what ``x`` is divided by."""
    count = float(len(episodes))
    sums: Row = {
        "accuracy": float(sum(episode.correct for episode in episodes)),
        "rapr": float(sum(episode.operations > 0 for episode in episodes)),
        "operations": float(sum(episode.attempts for episode in episodes)),
        "tokens": float(sum(episode.sampled for episode in episodes)),
        "reward_correct": 0.0,
        "reward_curiosity": 0.0,
        "reward_penalty": 0.0,
    }
    if config.reward.preset == "lagrangian":
        attempts = [episode.attempts for episode in episodes]
        sums["excess_calls"] = float(excess(attempts, config.reward).sum())
    for reason in StopReason:
        if reason is not StopReason.ANSWERED:
            sums[reason.value] = float(sum(episode.stop is reason for episode in episodes))
    row = sums | {f"{key}/n": count for key in sums}
    row["op_error_rate"] = float(sum(episode.failures for episode in episodes))
    row["op_error_rate/n"] = float(sum(episode.attempts for episode in episodes))
    # The gap between these two is what makes the learning trap: while zooming pays less than
    # answering at once, reward alone teaches to stop.
    for key, used in (("accuracy_with_operation", True), ("accuracy_without_operation", False)):
        some = [episode for episode in episodes if (episode.operations > 0) is used]
        row[key] = float(sum(episode.correct for episode in some))
        row[f"{key}/n"] = float(len(some))
    return row


def _reward_sums(shaped: ShapedRewards) -> Row:
    return {
        "reward_correct": float(shaped.correct.sum()),
        "reward_curiosity": float(shaped.curiosity.sum()),
        "reward_penalty": float(shaped.penalty.sum()),
    }


def _add(row: Row, more: Row) -> None:
    for key, value in more.items():
        row[key] += value
