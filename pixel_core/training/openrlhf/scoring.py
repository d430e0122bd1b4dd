"""What a group of rollouts earns, in the terms that OpenRLHF trains on and logs.

OpenRLHF turns rewards into advantages itself, in float32: its ``group_norm`` divides by the
unbiased deviation, and gives a group of equal rewards an advantage made of rounding. So the
advantages are ours (``rewards/advantages.py``), and the reward handed over is

    baseline + advantage,    baseline = the group's mean reward, rounded to 1/1024

Its ``dr_grpo`` takes the group's mean off again, which leaves our advantage whatever its
kind. The baseline keeps the rewards that OpenRLHF logs readable, and has so few binary
digits that a group without advantages comes out at exactly 0 (tests/openrlhf).

``scores`` is the raw accuracy. In evaluation the reward is too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pixel_core.config import AdvantageKind, RewardConfig
from pixel_core.records import StopReason
from pixel_core.rewards.advantages import advantages
from pixel_core.rewards.shaping import shape
from pixel_core.rollout.episode import Episode

#: OpenRLHF's estimator that leaves the rewards of ``scored`` as our advantages.
ESTIMATOR = "dr_grpo"
#: Before the name of every number of ours among OpenRLHF's.
PREFIX = "pixel_"
#: Each is a mean over the rollouts of a step.
LOGGED = (
    "accuracy",
    "rapr",
    "operations",
    "op_errors",
    "correct_with_operation",
    "tokens",
    "reward",
    "reward_correct",
    "reward_curiosity",
    "reward_penalty",
    "uniform_groups",
    "group_size",
    *(reason.value for reason in StopReason if reason is not StopReason.ANSWERED),
)

_STEPS = 1024


def evaluated(episode: Episode) -> dict[str, Any]:
    """Accuracy, without bonus or penalty."""
    right = float(episode.correct)
    logs = _logs(episode) | {"reward": right, "reward_correct": right, "group_size": 1.0}
    return {"reward": right, "scores": right, "extra_logs": _named(logs)}


def scored(
    group: Sequence[Episode], config: RewardConfig, kind: AdvantageKind
) -> tuple[bool, list[dict[str, Any]]]:
    """Whether no rollout is better than another, and each one's reward, score and logs."""
    shaped = shape(
        [episode.correct for episode in group],
        [episode.operations > 0 for episode in group],
        [episode.attempts for episode in group],
        config,
        last_failed_g=[episode.last_failed for episode in group],
        video=group[0].video,
    )
    advantage_g = advantages(shaped.total, kind)
    uniform = not advantage_g.any()
    baseline = round(float(shaped.total.mean()) * _STEPS) / _STEPS
    results = []
    for place, episode in enumerate(group):
        logs = _logs(episode) | {
            "reward": float(shaped.total[place]),
            "reward_correct": float(shaped.correct[place]),
            "reward_curiosity": float(shaped.curiosity[place]),
            "reward_penalty": float(shaped.penalty[place]),
            "uniform_groups": float(uniform),
            "group_size": float(len(group)),
        }
        results.append(
            {
                "reward": baseline + float(advantage_g[place]),
                "scores": float(episode.correct),
                "extra_logs": _named(logs),
            }
        )
    return uniform, results


def _logs(episode: Episode) -> dict[str, float]:
    used = episode.operations > 0
    stops = {reason.value: float(episode.stop is reason) for reason in StopReason}
    return stops | {
        "accuracy": float(episode.correct),
        "rapr": float(used),
        "operations": float(episode.attempts),
        "op_errors": float(episode.failures),
        "correct_with_operation": float(episode.correct and used),
        "tokens": float(episode.sampled),
    }


def _named(logs: dict[str, float]) -> dict[str, float]:
    """The same keys for every rollout, which OpenRLHF needs to average them."""
    return {PREFIX + key: logs.get(key, 0.0) for key in LOGGED}
