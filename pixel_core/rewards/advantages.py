"""From a group's rewards to its advantages. Legend: g group (rollouts of one query)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixel_core.config import AdvantageKind

Floats = NDArray[np.float64]

#: Rewards of a group closer together than this are equal: no rollout is better than another.
#: Rounding differs by about 1e-16. The original's rule, mean |r - mean| < 0.01, also drops
#: groups with a signal: equal answers of which two in eight earn a curiosity of 0.025 have a
#: mean deviation of 0.0094, and that bonus is what the paper adds.
UNIFORM = 1e-6


def advantages(rewards_g: ArrayLike, kind: AdvantageKind) -> Floats:
    """Advantages of one group, (g,), in the rewards' order.

    - ``mean``: the reward less the group's mean (the original's code; Dr. GRPO).
    - ``mean_std``: that, divided by the group's population standard deviation (GRPO). Mind
      that among equal answers a bonus of any size then counts as much as a right answer.
    - ``leave_one_out``: the reward less the mean of the OTHERS (RLOO), g/(g-1) times
      ``mean``: unlike it unbiased, as no rollout is part of its own baseline.

    A group whose rewards lie within ``UNIFORM`` of one another gives exactly zeros. A group
    of one has nothing to compare with, and a reward that is not finite is a bug upstream:
    both are a ``ValueError``.
    """
    rewards = np.asarray(rewards_g, dtype=np.float64)
    if rewards.ndim != 1 or rewards.size < 2:
        raise ValueError(
            f"a group needs at least two rollouts to compare, got shape {rewards.shape}"
        )
    if not np.isfinite(rewards).all():
        raise ValueError(f"rewards must be finite, got {rewards}")
    if float(np.ptp(rewards)) < UNIFORM:
        return np.zeros_like(rewards)
    centred = rewards - rewards.mean()
    if kind == "mean":
        return centred
    if kind == "mean_std":
        return centred / rewards.std()
    if kind == "leave_one_out":
        others = (rewards.sum() - rewards) / (rewards.size - 1)
        return rewards - others
    raise ValueError(f"advantage kind {kind!r}: give mean, mean_std or leave_one_out")
