"""The stage ``rl``: GRPO with the curiosity reward (paper, section 4.2).

Rollouts and their gradients are computed by the same worker on its shard of the queries,
so the sampled tokens never leave it. One optimizer step a batch: the ratio to the
sampling policy is 1 up to rounding, and ``kl_sampler`` watches that it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pixel_core.config import DialogueConfig, RlConfig, SamplingConfig
from pixel_core.dialogue.episode import Episode, run_episodes
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.questions import Questions, queries_of
from pixel_core.dialogue.vocabulary import Vocabulary
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.models.loading import load_model, save_model
from pixel_core.records import Annotation, Query, Split, StopReason, read_jsonl
from pixel_core.rewards.shaping import ShapedRewards, advantages, shape
from pixel_core.stage import StageContext, Workspace
from pixel_core.training.curve import write_curve
from pixel_core.training.loop import Row, train
from pixel_core.training.optimizer import freeze_vision
from pixel_core.training.order import Order
from pixel_core.training.policy_loss import Sample, learn
from pixel_core.workers.team import Team, run_team

#: The curve's last rows are averaged over this many steps for the stage's metrics.
_TAIL = 10


def run(context: StageContext) -> dict[str, Any]:
    """Write ``model/`` and ``curve.jsonl``."""
    section = context.config.rl
    return run_team(
        reinforce,
        (section, context.config.dialogue, dict(context.inputs), context.work, context.out),
        shards=section.shards,
        workers=context.config.runtime.workers,
        progress=context.progress,
    )


def reinforce(
    team: Team,
    config: RlConfig,
    dialogue: DialogueConfig,
    inputs: dict[str, Path],
    work: Workspace,
    out: Path,
) -> dict[str, Any]:
    model, vocabulary = load_model(inputs["sft"])
    if config.freeze_vision:
        freeze_vision(model)
    seeds = [a.seed for a in read_jsonl(inputs["annotate"] / "annotations.jsonl", Annotation)]
    trainer = RlShard(
        team,
        model,
        vocabulary,
        Prompts(dialogue, vocabulary),
        config,
        inputs["ingest"],
        queries_of(seeds, Split.TRAIN, "the annotate stage"),
    )
    held_out: list[Query] = []
    if config.validate_every:
        validation = queries_of(seeds, Split.VALIDATION, "the annotate stage")
        held_out = validation[: config.validation_questions]

    def validate(step: int, row: Row) -> Row:
        if not held_out or (step + 1) % config.validate_every:
            return {}
        return trainer.validate(held_out)

    curve = train(
        team,
        model,
        phase="rl",
        steps=config.steps,
        optimizer_config=config.optimizer,
        shard=trainer,
        work=work,
        checkpoint_every=config.checkpoint_every,
        watched=("loss", "accuracy", "rapr", "op_error_rate", "validation_accuracy"),
        after_step=validate,
    )
    if team.leads:
        save_model(model, vocabulary.tokenizer, out)
        write_curve(out, curve)
    tail = curve[-_TAIL:]
    means = {
        f"final_{key}": sum(row[key] for row in tail) / len(tail)
        for key in ("accuracy", "rapr", "uniform_groups", "truncated")
    }
    return {"steps": config.steps, "queries": len(trainer.queries), **means}


class RlShard:
    """One shard of an RL step: roll out, reward, and take the gradient."""

    def __init__(
        self,
        team: Team,
        model: Any,
        vocabulary: Vocabulary,
        prompts: Prompts,
        config: RlConfig,
        ingest: Path,
        queries: list[Query],
    ) -> None:
        self.team = team
        self.model = model
        self.vocabulary = vocabulary
        self.prompts = prompts
        self.config = config
        self.queries = queries
        self.questions = Questions(ingest, prompts)
        self.order = Order(len(queries), config.queries, f"rl/{config.seed}")
        self.engine = EmbeddedEngine(model, vocabulary)

    def __call__(self, step: int, shard: int) -> Row:
        config = self.config
        taken = self.order.at(step)[shard :: self.team.shard_count]
        openings = [self.questions.open(self.queries[index]) for index in taken]
        self.engine.reseed(stream_seed("rl", config.seed, step, shard))
        episodes = run_episodes(
            self.engine, self.prompts, openings, config.group, config.sampling
        )
        row = _counts(episodes)
        samples: list[Sample] = []
        for start in range(0, len(episodes), config.group):
            group = episodes[start : start + config.group]
            shaped = shape(
                [episode.correct for episode in group],
                [episode.operations > 0 for episode in group],
                [episode.attempts for episode in group],
                config.reward,
            )
            advantage_g = advantages(shaped.total, config.advantage)
            _add(row, _reward_sums(shaped))
            if not advantage_g.any():
                row["uniform_groups"] += 1
                continue
            samples += [
                Sample(episode.transcript, float(advantage))
                for episode, advantage in zip(group, advantage_g, strict=True)
            ]
        row["uniform_groups/n"] = float(len(openings))
        return row | learn(self.model, samples, self.vocabulary, config)

    def validate(self, queries: list[Query]) -> Row:
        """Greedy accuracy and RaPR. Shards are batches of their own, as in training, so
        that the scores do not depend on how many workers share them."""
        episodes = [
            episode
            for shard in self.team.shards
            for episode in run_episodes(
                self.engine,
                self.prompts,
                [self.questions.open(q) for q in queries[shard :: self.team.shard_count]],
                1,
                SamplingConfig(temperature=0.0),
            )
        ]
        sums = self.team.sum(
            torch.tensor(
                [
                    float(len(episodes)),
                    float(sum(episode.correct for episode in episodes)),
                    float(sum(episode.operations > 0 for episode in episodes)),
                ],
                dtype=torch.float64,
            )
        ).tolist()
        return {
            "validation_accuracy": sums[1] / sums[0],
            "validation_rapr": sums[2] / sums[0],
        }


def _counts(episodes: list[Episode]) -> Row:
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
    row["uniform_groups"] = 0.0
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
