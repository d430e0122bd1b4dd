"""What the rollouts of one query earn. Legend: g group (rollouts of one query).

``paper`` (section 4.2 of arXiv 2505.15966), the default:

    r'(x, y) = r(x, y) + alpha * max(H - RaPR(x), 0) * 1[y uses an operation]
                       + beta * min(N - n_vo(y), 0)

Two readings the paper leaves open, and ours:

* *uses an operation*: at least one operation was EXECUTED. A call that was refused or failed
  shows the model nothing and earns no curiosity, and RaPR counts the same rollouts.
* ``n_vo``: every call that was ATTEMPTED counts, so failing calls are not free.

``upstream_code``, the authors' released code, with its own fixed numbers. Here everything
counts ATTEMPTED calls: n is their number, RaPR the share of rollouts with n >= 1, and

    n >= 1:  curiosity = 0.25 * max(0.3 - RaPR, 0) / d / RaPR,   d = 2.0 image, 1.5 video
             penalty   = -0.05 * (n - 1)
    n == 0:  neither

A right answer whose LAST operation failed scores 0 instead of 1; its curiosity and penalty
stay. The released code looks that flag up without the group's offset, at another rollout's
place; here it is the rollout's own. Its -1 for an answer it can't parse is not repeated.

``none``: r(x, y) alone.

``lagrangian``. The paper's formula stands for a problem with constraints: maximise E[r] such
that RaPR(x) >= H, and n_vo(y) <= N for every y. The second says E[max(n_vo - N, 0)] <= 0 (a
mean of what is never negative is 0 only if every term is), so with multipliers l1, l2 >= 0

    L = E[r] + l1 * (E[1[used]] - H) - l2 * E[max(n_vo - N, 0)]
      = E[ r + l1 * 1[used] - l2 * max(n_vo - N, 0) ] - l1 * H

Within a batch l1 and l2 are constants, so -l1 * H is the same for every rollout of a group
and leaves with its mean (and with the mean of the others); a rollout therefore earns

    r'(x, y) = r(x, y) + l1 * 1[used] - l2 * max(n_vo - N, 0)

The linear term l2 * (N - n_vo) would be another problem, mean n_vo <= N: there a rollout
without calls pays for another's excess, and the first, free call costs too. ``duals.py`` moves
l1 and l2. *used* and ``n_vo`` are read as in ``paper``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixel_core.config import RewardConfig
from pixel_core.rewards.duals import Duals

Floats = NDArray[np.float64]

#: The released code's numbers.
_UPSTREAM_TARGET = 0.3
_UPSTREAM_FACTOR = 0.25
_UPSTREAM_DIVISOR = {"image": 2.0, "video": 1.5}
_UPSTREAM_PRICE = 0.05


@dataclass(frozen=True)
class ShapedRewards:
    """One group's rewards, all shaped (g,): ``total = correct + curiosity + penalty``."""

    total: Floats
    #: What the preset gives for the answer. ``upstream_code`` takes it from a right answer
    #: whose last operation failed: accuracy is counted from the rollouts, not from here.
    correct: Floats
    curiosity: Floats
    penalty: Floats
    #: The share of the group that EXECUTED an operation, whatever the preset counts.
    rapr: float


def rapr(used_g: ArrayLike) -> float:
    """Rate of pixel-space reasoning: the share of the group that executed an operation."""
    used = np.asarray(used_g, dtype=bool)
    if used.ndim != 1 or used.size == 0:
        raise ValueError(f"RaPR needs one flag a rollout, got shape {used.shape}")
    return float(used.mean())


def excess(attempts_g: ArrayLike, config: RewardConfig) -> Floats:
    """Calls attempted beyond N, (g,); their mean over a batch moves ``Duals.operations``."""
    return np.maximum(np.asarray(attempts_g, dtype=np.float64) - config.free_operations, 0.0)


def shape(
    correct_g: ArrayLike,
    used_g: ArrayLike,
    attempts_g: ArrayLike,
    config: RewardConfig,
    *,
    last_failed_g: ArrayLike | None = None,
    video: bool = False,
    duals: Duals | None = None,
) -> ShapedRewards:
    """The rewards of one group by ``config.preset`` (see the module's text).

    ``correct_g``: 0 or 1; ``used_g``: whether an operation was executed; ``attempts_g``: calls
    made, executed or not; ``last_failed_g``: whether the last call made was refused or failed
    (False without calls); ``video``: whether the query is a video; ``duals``: the prices in
    force. Only ``upstream_code`` reads ``last_failed_g`` and ``video`` and only ``lagrangian``
    reads ``duals``; they may be given always, and must be given there.

    Raises ``ValueError`` on unequal shapes, on an empty group, on a missing argument, and on
    a rollout that executed, or failed at, an operation it never attempted.
    """
    correct = np.asarray(correct_g, dtype=np.float64)
    used = np.asarray(used_g, dtype=bool)
    attempts = np.asarray(attempts_g, dtype=np.int64)
    failed = None if last_failed_g is None else np.asarray(last_failed_g, dtype=bool)
    if not correct.shape == used.shape == attempts.shape:
        raise ValueError(
            f"a group's arrays must be of one length, got correct {correct.shape}, "
            f"used {used.shape}, attempts {attempts.shape}"
        )
    if failed is not None and failed.shape != attempts.shape:
        raise ValueError(
            f"a group's arrays must be of one length, got last_failed {failed.shape}, "
            f"attempts {attempts.shape}"
        )
    if bool((attempts < used).any()):
        raise ValueError(f"used without an attempt: used {used}, attempts {attempts}")
    if failed is not None and bool((attempts < failed).any()):
        raise ValueError(f"failed without an attempt: {failed}, attempts {attempts}")
    rate = rapr(used)
    nothing = np.zeros_like(correct)
    if config.preset == "paper":
        curiosity = config.alpha * max(config.rapr_target - rate, 0.0) * used
        penalty = -config.beta * excess(attempts, config)
    elif config.preset == "upstream_code":
        if failed is None:
            raise ValueError("preset upstream_code needs last_failed_g: give it")
        correct = np.where(failed, 0.0, correct)
        curiosity, penalty = _upstream(attempts, "video" if video else "image")
    elif config.preset == "lagrangian":
        if duals is None:
            raise ValueError("preset lagrangian needs duals: begin with Duals.start")
        curiosity = duals.rapr * used
        penalty = -duals.operations * excess(attempts, config)
    else:
        curiosity, penalty = nothing, nothing
    # Adding 0.0 turns -0.0 into 0.0, so that rewards print and serialise alike.
    curiosity, penalty = curiosity + 0.0, penalty + 0.0
    total = correct + curiosity + penalty
    return ShapedRewards(total, correct, curiosity, penalty, rate)


def _upstream(attempts_g: NDArray[np.int64], medium: str) -> tuple[Floats, Floats]:
    """Curiosity and penalty of the released code, by attempted calls."""
    called = attempts_g > 0
    if not called.any():
        nothing = np.zeros(attempts_g.shape)
        return nothing, nothing
    rate = float(called.mean())
    share = max(_UPSTREAM_TARGET - rate, 0.0) / _UPSTREAM_DIVISOR[medium] / rate
    bonus = _UPSTREAM_FACTOR * share
    beyond = np.maximum(attempts_g - 1, 0).astype(np.float64)
    return np.where(called, bonus, 0.0), -_UPSTREAM_PRICE * beyond
