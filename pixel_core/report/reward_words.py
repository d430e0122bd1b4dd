"""The reward in force, in words; ``rewards/shaping.py`` has the formulas."""

from __future__ import annotations

from pixel_core.config import RewardConfig
from pixel_core.report.html.wording import percent

_TITLES = {
    "paper": "the paper's curiosity reward",
    "upstream_code": "the curiosity reward of the authors' code",
    "none": "reward for right answers alone",
    "lagrangian": "reward with constraints on the use of operations",
}


def reward_title(reward: RewardConfig) -> str:
    """The reward's name, as part of a heading."""
    if reward.preset == "paper" and not pays_curiosity(reward):
        return "the paper's reward without curiosity"
    return _TITLES[reward.preset]


def pays_curiosity(reward: RewardConfig) -> bool:
    """Whether the use of an operation can earn anything."""
    if reward.preset == "paper":
        return reward.alpha > 0 and reward.rapr_target > 0
    if reward.preset == "lagrangian":
        return reward.lagrangian.rapr_max > 0
    return reward.preset == "upstream_code"


def charges_calls(reward: RewardConfig) -> bool:
    """Whether extra calls can cost anything."""
    if reward.preset == "paper":
        return reward.beta > 0
    if reward.preset == "lagrangian":
        return reward.lagrangian.operations_max > 0
    return reward.preset == "upstream_code"


def reward_text(reward: RewardConfig) -> str:
    """What a rollout earned, in sentences."""
    if reward.preset == "paper":
        return f"A right answer earns 1. {_paper_curiosity(reward)} {_paper_price(reward)}"
    if reward.preset == "upstream_code":
        return (
            "A right answer earns 1, but nothing when the rollout's last call failed. While "
            "c, the share of a question's rollouts that attempt a call, is below 0.3, each of "
            "those earns 0.25 × (0.3 − c) / (2 × c), with 1.5 for 2 where the question is "
            "about a video; each call beyond the first costs 0.05."
        )
    if reward.preset == "none":
        return "A right answer earns 1; operations earn and cost nothing."
    limits = reward.lagrangian
    return (
        "A right answer earns 1. A rollout that carries out an operation earns the first "
        f"multiplier, which goes up while RaPR is below {percent(reward.rapr_target, 0)} and "
        f"down while it is above: by {limits.rapr_rate:g} times the difference a step, between "
        f"0 and {limits.rapr_max:g}. {_beyond(reward)} costs the second, which moves by "
        f"{limits.operations_rate:g} times what such calls exceed {limits.operations_slack:g} "
        f"a rollout, between 0 and {limits.operations_max:g}."
    )


def parts_note(reward: RewardConfig) -> str:
    """Explains the curves of curiosity and penalty."""
    if reward.preset == "lagrangian":
        return (
            "Mean over rollouts: the multiplier in force, times how often it was earned or "
            "charged."
        )
    said = ["Mean over rollouts."]
    if pays_curiosity(reward):
        known = reward.preset == "paper"
        target = percent(reward.rapr_target if known else 0.3, 0)
        does = "use an operation" if known else "attempt a call"
        said.append(
            f"Curiosity is paid while fewer than {target} of a question's rollouts {does}."
        )
    if charges_calls(reward):
        # The released code has exactly one free call.
        free = reward if reward.preset == "paper" else RewardConfig()
        said.append(f"The penalty: {_beyond(free).lower()} costs.")
    return " ".join(said)


def _paper_curiosity(reward: RewardConfig) -> str:
    if not pays_curiosity(reward):
        return "The use of an operation earns nothing."
    return (
        f"While fewer than {percent(reward.rapr_target, 0)} of a question's rollouts use an "
        f"operation, those that do earn {reward.alpha:g} times the shortfall."
    )


def _paper_price(reward: RewardConfig) -> str:
    if not charges_calls(reward):
        return "Calls cost nothing."
    return f"{_beyond(reward)} costs {reward.beta:g}."


def _beyond(reward: RewardConfig) -> str:
    free = reward.free_operations
    if not free:
        return "Each call"
    return f"Each call beyond the first {free}" if free > 1 else "Each call beyond the first"
