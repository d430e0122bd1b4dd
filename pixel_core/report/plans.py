"""Which columns of a training curve share a panel, and its caption."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.config import RewardConfig
from pixel_core.report.html.wording import percent, plain
from pixel_core.report.reward_words import charges_calls, parts_note, pays_curiosity
from pixel_core.statistics.hits import HIT


@dataclass(frozen=True)
class Plan:
    """A panel, drawn if the curve has at least one of ``keys``."""

    title: str
    keys: tuple[str, ...]
    note: str = ""
    share: bool = False
    #: Whether values are differences of shares, shown in points.
    points: bool = False
    #: The health guards whose warnings are marked on it.
    guards: tuple[str, ...] = ()


SFT = (
    Plan("Loss", ("loss",)),
    Plan("Tokens predicted right", ("token_accuracy",), share=True),
    Plan(
        "Checks of the selection rule",
        (
            "validation_rapr",
            "validation_accuracy",
            "validation_accuracy_with_operation",
        ),
        "Sampled answers to validation questions.",
        share=True,
    ),
)

_LABELS = {
    "rapr": "RaPR",
    "validation_rapr": "RaPR, validation",
    "validation_accuracy": "accuracy, validation",
    "validation_accuracy_with_operation": "with an operation, validation",
    "accuracy_with_operation": "with an operation",
    "accuracy_without_operation": "without",
    "operation_hits": "the crop shows the evidence",
    "crop_read": "of these, right answers",
    "operation_pays": "points won by an operation",
    "op_error_rate": "failed calls of those attempted",
    "operations": "calls attempted",
    "excess_calls": "of these beyond the free ones",
    "reward_curiosity": "curiosity",
    "reward_penalty": "penalty",
    "dual_rapr": "paid for an operation",
    "dual_operations": "charged for a call too many",
    "truncated": "truncated answers",
    "replayed": "replayed rollouts",
    "replay_age": "age in steps",
    "clipped_replay": "replayed tokens beyond the clip",
    "rounds": "rounds",
    "entropy": "nats a token",
    "grad_norm": "gradient norm",
    "kl_sampler": "KL divergence",
    "kl_warm_start": "KL divergence (k3)",
}


def label(key: str) -> str:
    """A column's name in a legend."""
    return _LABELS.get(key, plain(key))


def rl_plans(reward: RewardConfig) -> tuple[Plan, ...]:
    """The panels of RL under this reward, most informative first."""
    parts = [
        key
        for key, is_there in (
            ("reward_curiosity", pays_curiosity(reward)),
            ("reward_penalty", charges_calls(reward)),
        )
        if is_there
    ]
    return (
        Plan(
            "Accuracy and RaPR",
            ("accuracy", "rapr", "validation_accuracy", "validation_rapr"),
            "RaPR: the share of answers that used at least one operation. Dashed: greedy "
            "answers to validation questions, where they were asked.",
            share=True,
            guards=("rapr_collapse",),
        ),
        Plan(
            "Accuracy with and without an operation",
            ("accuracy_with_operation", "accuracy_without_operation"),
            "Of the rollouts of each sort, the share that is right. While those with an "
            "operation are right less often, a right answer alone teaches to stop zooming. "
            "Dashed: only some steps had rollouts of that sort.",
            share=True,
            guards=("useless_operation",),
        ),
        Plan(
            "The operation hits, the crop is read",
            ("operation_hits", "crop_read"),
            "Of the rollouts to questions whose cue is a known box. Hits: the last crop has at "
            f"least {percent(HIT, 0)} of the cue. Read: right answers among those that hit.",
            share=True,
        ),
        Plan(
            "Using it pays",
            ("operation_pays",),
            "Of the same rollouts, accuracy with an operation less that without, in points. "
            "Below 0 a right answer alone teaches to stop zooming.",
            points=True,
            guards=("useless_operation",),
        ),
        Plan(
            "Operation error rate",
            ("op_error_rate",),
            "Share of the attempted calls that were refused or failed.",
            share=True,
        ),
        Plan("Calls a rollout", ("operations", "excess_calls")),
        Plan(" and ".join(map(label, parts)).capitalize(), tuple(parts), parts_note(reward)),
        Plan(
            "Multipliers",
            ("dual_rapr", "dual_operations"),
            "The prices in force at each step, as rewards. The first rises while RaPR is below "
            f"{percent(reward.rapr_target, 0)}, the second while calls beyond the free ones "
            f"({reward.free_operations}) exceed {reward.lagrangian.operations_slack:g} a "
            "rollout.",
        ),
        Plan(
            "Uniform groups, truncated answers, replay",
            ("uniform_groups", "truncated", "replayed"),
            "A group whose answers all earn the same teaches nothing. Replayed: of the "
            "rollouts learnt from, the share from earlier steps.",
            share=True,
            guards=("all_truncated",),
        ),
        Plan(
            "Rounds of rollouts",
            ("rounds",),
            "Mean over shards; beyond the first they replace uniform groups.",
        ),
        Plan("Age of the replayed rollouts", ("replay_age",)),
        Plan(
            "Replay beyond the clip",
            ("clipped_replay",),
            "Tokens whose ratio to their own time's policy is outside the clip's bounds.",
            share=True,
        ),
        Plan("Policy loss", ("loss",), guards=("non_finite", "loss_spike")),
        Plan("Gradient norm", ("grad_norm",), guards=("non_finite", "gradient_spike")),
        Plan("Entropy", ("entropy",), guards=("entropy_collapse",)),
        Plan(
            "Drift of the sampler",
            ("kl_sampler",),
            "How far the trained policy is from the one that sampled: rounding, while each "
            "batch is used once.",
        ),
        Plan("Divergence from the warm start", ("kl_warm_start",)),
    )
