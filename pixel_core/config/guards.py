"""The section ``rl.guards``: what counts as a sick run, and what is done about it.

Every guard has a ``threshold`` and an ``action``: ``warn`` says so and goes on, ``stop`` ends
training cleanly before the update that looks wrong, ``off`` does not look. The defaults stay
silent on healthy runs of the tiny profile: there a gradient norm reached 5 times its running
median and entropy fell to a fifth of where it began.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Positive, Section, Share

Factor = Annotated[float, Field(gt=1, allow_inf_nan=False)]


class Guard(Section):
    action: Literal["warn", "stop", "off"] = "warn"

    def idle_fields(self) -> frozenset[str]:
        if self.action == "off":
            return frozenset(type(self).model_fields) - {"action"}
        return frozenset()


class NonFiniteGuard(Guard):
    """A loss or gradient that is no number. Its update is never applied, whatever the action;
    the first one is warned of, ``threshold`` of them in a row are acted on."""

    action: Literal["warn", "stop", "off"] = "stop"
    threshold: Positive = 3


class LossSpikeGuard(Guard):
    """|loss| at least ``threshold`` times its running median."""

    threshold: Factor = 10.0


class GradientSpikeGuard(Guard):
    """Gradient norm, before clipping, at least ``threshold`` times its running median."""

    threshold: Factor = 10.0


class EntropyCollapseGuard(Guard):
    """Entropy a token below ``threshold`` times that of the first steps."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1


class RaprCollapseGuard(Guard):
    """RaPR below ``threshold`` after it was at least ``above`` for ``steps`` steps in a row:
    the learning trap."""

    threshold: Share = 0.05
    above: Share = 0.15
    steps: Positive = 5

    @model_validator(mode="after")
    def _can_fall(self) -> Self:
        if self.above < self.threshold:
            raise ValueError(f"above {self.above} is below the threshold {self.threshold}")
        return self


class UselessOperationGuard(Guard):
    """Over the last ``steps`` steps operations were used in at least ``above`` of the rollouts,
    and those were right in at most ``threshold`` more of the cases than the others."""

    threshold: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    above: Share = 0.15
    #: In the learning-trap study an operation that comes to pay does so within 100 steps.
    steps: Positive = 120


class TruncationGuard(Guard):
    """At least this share of a batch's rollouts was cut by the token limit."""

    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0


class GuardsConfig(Section):
    non_finite: NonFiniteGuard = NonFiniteGuard()
    loss_spike: LossSpikeGuard = LossSpikeGuard()
    gradient_spike: GradientSpikeGuard = GradientSpikeGuard()
    entropy_collapse: EntropyCollapseGuard = EntropyCollapseGuard()
    rapr_collapse: RaprCollapseGuard = RaprCollapseGuard()
    useless_operation: UselessOperationGuard = UselessOperationGuard()
    all_truncated: TruncationGuard = TruncationGuard()
