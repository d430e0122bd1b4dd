"""The reward of RL: which rule, and its numbers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Section, Share

#: How a group's rewards become advantages; see ``rewards/advantages.py``.
AdvantageKind = Literal["mean", "mean_std", "leave_one_out"]

Multiplier = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LagrangianConfig(Section):
    """The two constraints of the ``lagrangian`` preset: their multipliers' steps and bounds.

    A multiplier is a reward, on the scale on which a right answer is 1. The rates are rewards
    an update for a violation of 1. With the defaults a policy that never uses an operation is
    offered 0.15, the paper's largest bonus, after 5 updates, and ``rapr_max`` after 17. That
    stays below 1: a wrong answer with an operation must not beat a right one without.
    """

    rapr_rate: Multiplier = 0.1
    rapr_max: Multiplier = 0.5
    #: Nothing is paid until the constraint is violated for the first time.
    rapr_initial: Multiplier = 0.0
    operations_rate: Multiplier = 0.05
    operations_max: Multiplier = 0.2
    #: The paper's beta: the price of an extra call is known before the first batch.
    operations_initial: Multiplier = 0.05
    #: Tolerated mean of calls beyond N per rollout. Excess is never negative, so with 0 the
    #: multiplier could only rise: one call too many would never be forgiven.
    operations_slack: Annotated[float, Field(ge=0)] = 0.05

    @model_validator(mode="after")
    def _starts_within(self) -> Self:
        for name in ("rapr", "operations"):
            start, top = getattr(self, f"{name}_initial"), getattr(self, f"{name}_max")
            if start > top:
                raise ValueError(f"{name}_initial {start} is above {name}_max {top}")
        return self


class RewardConfig(Section):
    """What a rollout earns; ``rewards/shaping.py`` has the formulas.

    ``paper``: correctness, curiosity below H, a price for each call beyond N.
    ``upstream_code``: the released code's formula, whose numbers are fixed.
    ``none``: correctness alone.
    ``lagrangian``: H and N as constraints, whose prices follow from their violation.
    """

    preset: Literal["paper", "upstream_code", "none", "lagrangian"] = "paper"
    alpha: Annotated[float, Field(ge=0)] = 0.5
    beta: Annotated[float, Field(ge=0)] = 0.05
    rapr_target: Share = 0.3  #: H
    free_operations: Count = 1  #: N
    lagrangian: LagrangianConfig = LagrangianConfig()

    def idle_fields(self) -> frozenset[str]:
        if self.preset == "paper":
            return frozenset({"lagrangian"})
        if self.preset == "lagrangian":
            return frozenset({"alpha", "beta"})
        return frozenset(type(self).model_fields) - {"preset"}
