"""The section ``rl``: the reward, the advantages, the loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.cluster import PlaceConfig
from pixel_core.config.dialogue import SamplingConfig
from pixel_core.config.guards import GuardsConfig
from pixel_core.config.openrlhf import OpenrlhfConfig
from pixel_core.config.reward import AdvantageKind, RewardConfig
from pixel_core.config.section import Count, Placement, Positive, Rate, Section, Weight
from pixel_core.config.training import OptimizerConfig

# Settings of ``rl`` that OpenRLHF 0.11.2 can't honour: reported before a run, never ignored.
#
# ``method_rules`` concern the learning method and are checked when the settings are read;
# ``layout_rules`` concern how processes share the work and are checked before a run. The
# supported ones are mapped in ``pixel_core/training/openrlhf/arguments.py``. Critics, sample
# packing, ring attention and dynamic batches, which it has but vision models can't use, have
# no field.


def method_rules(rl: RlConfig) -> list[str]:
    """A line for each setting that is refused, with the remedy."""
    return [*_reward_and_batch(rl), *_guards(rl), *_optimizer(rl.optimizer)]


def layout_rules(rl: RlConfig) -> list[str]:
    """The same for batches that do not come out even, which it would cut without a word,
    and for processes that do not fit their places."""
    return [*_batches(rl), *_places(rl.openrlhf)]


def _reward_and_batch(rl: RlConfig) -> list[str]:
    broken = []
    if rl.reward.preset == "lagrangian":
        broken.append(
            "reward.preset 'lagrangian' moves its prices once a step by the whole batch, which "
            "no rollout worker sees: use 'paper', 'upstream_code' or 'none'"
        )
    if rl.resample_rounds:
        broken.append(
            f"resample_rounds {rl.resample_rounds}: its filter asks for accuracy, and would "
            "drop all-wrong groups with their curiosity bonus: set 0"
        )
    if rl.replay.capacity:
        broken.append(
            f"replay.capacity {rl.replay.capacity}: it keeps no earlier rollouts: set 0"
        )
    if rl.keep == "best":
        broken.append(
            "keep 'best': only its last weights come back as a model: set keep to 'last'"
        )
    return broken


def _guards(rl: RlConfig) -> list[str]:
    """Its updates are done when their rows are read: a guard can warn, not prevent."""
    names = [
        name
        for name in type(rl.guards).model_fields
        if name != "non_finite" and getattr(rl.guards, name).action == "stop"
    ]
    broken = [
        f"guards.{name}.action 'stop': an update is done before its row is read, so none can "
        "be refused: set 'warn' or 'off'"
        for name in names
    ]
    if rl.guards.non_finite.action != "stop":
        broken.append(
            f"guards.non_finite.action {rl.guards.non_finite.action!r}: it applies an update "
            "that is no number, so the run ends at the first: leave 'stop'"
        )
    return broken


def _optimizer(optimizer: OptimizerConfig) -> list[str]:
    broken = []
    if optimizer.kind != "adamw":
        broken.append(
            f"optimizer.kind {optimizer.kind!r}: DeepSpeed's Muon is another algorithm: use "
            "'adamw'"
        )
    if optimizer.weight_decay:
        broken.append(
            f"optimizer.weight_decay {optimizer.weight_decay:g}: it spares biases and norms, "
            "our own trainer does not: set 0"
        )
    if optimizer.schedule != "constant" and optimizer.hold:
        broken.append(
            f"optimizer.hold {optimizer.hold:g}: its schedules fall from the warm-up's end on: "
            "set 0"
        )
    if optimizer.schedule == "linear" and optimizer.final:
        broken.append(
            f"optimizer.final {optimizer.final:g}: its linear schedule ends at 0: set 0, or "
            "schedule 'cosine'"
        )
    return broken


def _batches(rl: RlConfig) -> list[str]:
    layout, broken = rl.openrlhf, []
    processes, rollouts = layout.nodes * layout.gpus_per_node, rl.queries * rl.group
    parts = (
        ("train_batch", layout.train_batch, "micro_train", layout.micro_train),
        ("queries x group", rollouts, "micro_rollout", layout.micro_rollout),
    )
    for name, whole, micro, size in parts:
        if whole % (processes * size):
            broken.append(
                f"{name} {whole} cannot be shared by {processes} trainer processes (nodes x "
                f"gpus_per_node) in passes of openrlhf.{micro} {size}: make it a multiple of "
                f"{processes * size}"
            )
    if rollouts % layout.train_batch:
        broken.append(
            f"queries x group {rollouts} is not a multiple of openrlhf.train_batch "
            f"{layout.train_batch}: the rest would not be trained on"
        )
    return broken


def _places(layout: OpenrlhfConfig) -> list[str]:
    broken, processes = [], layout.nodes * layout.gpus_per_node
    if layout.colocate and layout.engines * layout.tensor_parallel != processes:
        broken.append(
            f"openrlhf.colocate: {layout.engines} engines x tensor_parallel "
            f"{layout.tensor_parallel} do not fill {processes} GPUs ({layout.nodes} nodes "
            f"x gpus_per_node {layout.gpus_per_node}): make the products equal, or set "
            "colocate = false"
        )
    if layout.colocate and layout.gpus_per_node % layout.tensor_parallel:
        broken.append(
            f"openrlhf.tensor_parallel {layout.tensor_parallel} does not divide gpus_per_node "
            f"{layout.gpus_per_node}: an engine would span two nodes; choose a divisor"
        )
    if layout.nodes > 1 and not layout.scratch:
        broken.append(
            f"openrlhf.scratch is empty: {layout.nodes} nodes need a folder that all share"
        )
    return broken


class ReplayConfig(Section):
    """Selective sample replay: earlier rollouts with an advantage fill the places that
    groups without one leave in a batch; ``training/replay.py`` has the rule."""

    #: Rollouts kept per shard; 0: no replay.
    capacity: Count = 0
    #: The exponent a of the sampling weights |advantage|^a; 0: uniform.
    exponent: Weight = 1.0
    #: Samples older than this many steps are dropped.
    max_age: Positive = 8
    #: The buffer is emptied at every multiple of this many steps; 0: only age empties it.
    clear_every: Count = 0

    @model_validator(mode="after")
    def _outlives_a_step(self) -> Self:
        if self.capacity and self.clear_every == 1:
            raise ValueError(
                "clear_every 1 empties the buffer before each step: nothing is ever replayed; "
                "give at least 2, or 0"
            )
        return self

    def idle_fields(self) -> frozenset[str]:
        return (
            frozenset() if self.capacity else frozenset(type(self).model_fields) - {"capacity"}
        )


class RlConfig(Section):
    steps: Positive = 100
    queries: Positive = 16
    #: Rollouts per query; a group of one has no advantage, so at least two.
    group: Annotated[int, Field(ge=2)] = 8
    shards: Positive = 2
    reward: RewardConfig = RewardConfig()
    advantage: AdvantageKind = "mean_std"
    clip_low: Rate = 0.2
    clip_high: Rate = 0.2
    #: Weight of the KL divergence from the warm start, per token (k3); 0: none, as the paper.
    kl: Weight = 0.0
    #: Weight of the entropy bonus, per token; 0: none.
    entropy: Weight = 0.0
    sampling: SamplingConfig = SamplingConfig()
    #: Extra rounds of fresh queries that may replace uniform groups; 0: none.
    resample_rounds: Count = 0
    replay: ReplayConfig = ReplayConfig()
    freeze_vision: bool = False
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-6)
    #: Validation questions answered (greedily) for each point of the curve; 0: never.
    validate_every: Count = 0
    validation_questions: Positive = 100
    #: The weights to hand on: the last, or those with the best validation accuracy.
    keep: Literal["last", "best"] = "last"
    guards: GuardsConfig = GuardsConfig()
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 10
    #: ``embedded``: our own trainer, on this machine's cores; ``openrlhf``: OpenRLHF on the
    #: GPUs of a Ray cluster, driving our episodes and rewards.
    backend: Literal["embedded", "openrlhf"] = "embedded"
    openrlhf: OpenrlhfConfig = OpenrlhfConfig()
    place: Annotated[PlaceConfig, Placement()] = PlaceConfig()

    @model_validator(mode="after")
    def _explores(self) -> Self:
        if self.sampling.temperature == 0:
            raise ValueError(
                "sampling.temperature 0 makes all rollouts of a group equal: nothing is learnt"
            )
        return self

    @model_validator(mode="after")
    def _can_tell_the_best(self) -> Self:
        if self.keep == "best" and not 0 < self.validate_every <= self.steps:
            raise ValueError(
                f"keep = 'best' needs a validation score to choose by: set validate_every "
                f"between 1 and steps ({self.steps}), it is {self.validate_every}"
            )
        return self

    @model_validator(mode="after")
    def _openrlhf_can(self) -> Self:
        broken = method_rules(self) if self.backend == "openrlhf" else []
        if broken:
            raise ValueError("backend 'openrlhf' can't do this:\n  " + "\n  ".join(broken))
        return self

    def idle_fields(self) -> frozenset[str]:
        # OpenRLHF's own processes divide a batch, not our shards.
        return frozenset({"backend", "openrlhf"} if self.backend == "embedded" else {"shards"})
