"""The section ``text_only``: the base model's own right answers, mixed into the warm start."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pixel_core.config.dialogue import SamplingConfig
from pixel_core.config.section import Positive, Section


class TextOnlyConfig(Section):
    """Rejection sampling: answers without an operation, kept when right (paper: 2,000 of
    7,500 trajectories)."""

    #: Of all trajectories of the warm start; 0: none are sampled.
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    #: Answers sampled to a question before it is given up.
    samples: Positive = 4
    sampling: SamplingConfig = SamplingConfig()
    seed: int = 0
