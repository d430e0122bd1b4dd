"""The section ``text_only``: the base model's own right answers, mixed into the warm start."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pixel_core.config.cluster import PlaceConfig
from pixel_core.config.dialogue import SamplingConfig
from pixel_core.config.engine import EngineConfig
from pixel_core.config.section import Placement, Positive, Section


class TextOnlyConfig(Section):
    """Rejection sampling: answers without an operation, kept when right (paper: 2,000 of
    7,500 trajectories)."""

    #: Share of all warm-start trajectories; 0: none are sampled.
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    #: Sampled answers per question before giving up on it.
    samples: Positive = 4
    sampling: SamplingConfig = SamplingConfig()
    #: Questions per batch. Sampling ends after the chunk that completes the share.
    chunk: Positive = 32
    seed: int = 0
    engine: EngineConfig = EngineConfig()
    place: Annotated[PlaceConfig, Placement()] = PlaceConfig()

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"samples {self.samples} at temperature 0 are one answer said {self.samples} "
                "times: raise sampling.temperature, or set samples to 1"
            )
        return self

    def idle_fields(self) -> frozenset[str]:
        if not self.share:
            return frozenset(type(self).model_fields) - {"share"}
        embedded = self.engine.kind == "embedded"
        return frozenset({"engine"} if embedded else ())
