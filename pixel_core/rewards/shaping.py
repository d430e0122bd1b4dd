"""The curiosity reward and the group advantages. Legend: g group (rollouts of one query).

Paper, section 4.2 (arXiv 2505.15966):

    r'(x, y) = r(x, y) + alpha * max(H - RaPR(x), 0) * 1[y uses an operation]
                       + beta * min(N - n_vo(y), 0)

Two readings the paper leaves open, and ours:

* *uses an operation*: at least one operation was EXECUTED. A call that was refused or failed
  shows the model nothing and earns no curiosity, and RaPR counts the same rollouts.
* ``n_vo``: every call that was ATTEMPTED counts, so failing calls are not free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixel_core.config import CuriosityConfig

Floats = NDArray[np.float64]

#: Rewards of a group closer together than this are equal: no rollout is better than another.
UNIFORM = 1e-6


@dataclass(frozen=True)
class ShapedRewards:
    """One group's rewards, all shaped (g,): ``total = correct + curiosity + penalty``."""

    total: Floats
    correct: Floats
    curiosity: Floats
    penalty: Floats
    #: The group's rate of pixel-space reasoning, before shaping.
    rapr: float


def rapr(used_g: ArrayLike) -> float:
    """Rate of pixel-space reasoning: the share of the group that executed an operation."""
    used = np.asarray(used_g, dtype=bool)
    if used.ndim != 1 or used.size == 0:
        raise ValueError(f"RaPR needs one flag a rollout, got shape {used.shape}")
    return float(used.mean())


def shape(
    correct_g: ArrayLike, used_g: ArrayLike, attempts_g: ArrayLike, config: CuriosityConfig
) -> ShapedRewards:
    """The paper's reward of one group (see the module's text).

    ``correct_g``: 0 or 1; ``used_g``: whether an operation was executed; ``attempts_g``: calls
    made, executed or not. Raises ``ValueError`` on unequal shapes, and on a rollout that
    executed an operation it never attempted.
    """
    correct = np.asarray(correct_g, dtype=np.float64)
    used = np.asarray(used_g, dtype=bool)
    attempts = np.asarray(attempts_g, dtype=np.int64)
    if not correct.shape == used.shape == attempts.shape:
        raise ValueError(
            f"a group's arrays must be of one length, got correct {correct.shape}, "
            f"used {used.shape}, attempts {attempts.shape}"
        )
    if bool((attempts < used).any()):
        raise ValueError(f"used without an attempt: used {used}, attempts {attempts}")
    rate = rapr(used)
    curiosity = config.alpha * max(config.rapr_target - rate, 0.0) * used
    penalty = config.beta * np.minimum(config.free_operations - attempts, 0)
    return ShapedRewards(correct + curiosity + penalty, correct, curiosity, penalty, rate)


def advantages(rewards_g: ArrayLike, kind: Literal["mean", "mean_std"]) -> Floats:
    """Advantages of one group, (g,): centred on the mean, for ``mean_std`` divided by the
    population standard deviation.

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
    return centred if kind == "mean" else centred / rewards.std()
