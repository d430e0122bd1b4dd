"""The section ``rl``: the reward, the advantages, the loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.dialogue import SamplingConfig
from pixel_core.config.reward import RewardConfig
from pixel_core.config.section import Count, Placement, Positive, Rate, Section
from pixel_core.config.training import OptimizerConfig


class RlConfig(Section):
    steps: Positive = 100
    queries: Positive = 16
    #: Rollouts of one query; a group of one has no advantage, so at least two.
    group: Annotated[int, Field(ge=2)] = 8
    shards: Positive = 2
    reward: RewardConfig = RewardConfig()
    advantage: Literal["mean", "mean_std"] = "mean_std"
    clip_low: Rate = 0.2
    clip_high: Rate = 0.2
    sampling: SamplingConfig = SamplingConfig()
    freeze_vision: bool = False
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-6)
    #: Validation questions answered (greedily) each time the curve gets a point; 0: never.
    validate_every: Count = 0
    validation_questions: Count = 100
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 10

    @model_validator(mode="after")
    def _explores(self) -> Self:
        if self.sampling.temperature == 0:
            raise ValueError(
                "sampling.temperature 0 makes all rollouts of a group equal: nothing is learnt"
            )
        return self
