"""The multipliers of the ``lagrangian`` preset, and how they follow the batches.

Projected dual ascent: after each batch a multiplier moves by its rate times how far the
BATCH violates its constraint, down as well as up, and is kept within [0, max]:

    lambda_rapr <- clip(lambda_rapr + rate * (H - RaPR), 0, max)
    lambda_ops  <- clip(lambda_ops + rate * (excess - slack), 0, max)

RaPR and excess are means over all rollouts of the batch. The paper's constraint is on each
query; a query comes back too seldom for a multiplier of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pixel_core.config import LagrangianConfig, RewardConfig


@dataclass(frozen=True)
class Duals:
    """The prices in force, as rewards: ``dataclasses.asdict`` and ``Duals(**d)`` are its JSON
    form. They belong to a training state: a resumed run must go on with the ones it had."""

    #: What a rollout that executed an operation is paid.
    rapr: float
    #: What each call beyond N costs.
    operations: float

    @classmethod
    def start(cls, config: LagrangianConfig) -> Duals:
        return cls(rapr=config.rapr_initial, operations=config.operations_initial)

    def updated(self, batch_rapr: float, batch_excess: float, config: RewardConfig) -> Duals:
        """The prices for the next batch.

        ``batch_rapr``: share of the batch's rollouts that executed an operation;
        ``batch_excess``: mean over its rollouts of max(calls attempted - N, 0). Give the
        whole batch's means, not a shard's: all workers must hold the same prices. Raises
        ``ValueError`` for a share outside [0, 1] or an excess that is negative or not finite.
        """
        if not 0.0 <= batch_rapr <= 1.0:
            raise ValueError(f"batch_rapr is a share from 0 to 1, got {batch_rapr}")
        if not (math.isfinite(batch_excess) and batch_excess >= 0.0):
            raise ValueError(
                f"batch_excess is the mean of max(calls - N, 0), got {batch_excess}"
            )
        limits = config.lagrangian
        rapr = self.rapr + limits.rapr_rate * (config.rapr_target - batch_rapr)
        operations = self.operations + limits.operations_rate * (
            batch_excess - limits.operations_slack
        )
        return Duals(
            rapr=_within(rapr, limits.rapr_max),
            operations=_within(operations, limits.operations_max),
        )


def _within(value: float, top: float) -> float:
    return min(max(value, 0.0), top)
