"""The training section: one part per stage, with its facts in words and its curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pixel_core.config import PipelineConfig, RlConfig, SftConfig
from pixel_core.report.curves import CurvePanel, training_panels
from pixel_core.report.health import HealthRow, ending, health_rows
from pixel_core.report.material import CurveRow, Material
from pixel_core.report.reward_words import reward_text, reward_title
from pixel_core.report.selection import missed_rule, outcome, rule

_ADVANTAGES = {
    "mean": "the reward less its group's mean",
    "mean_std": "the reward less its group's mean, over the group's standard deviation",
    "leave_one_out": "the reward less the mean of the group's others",
}


@dataclass(frozen=True)
class TrainingPart:
    """One stage; ``health`` is None if warnings were not recorded."""

    title: str
    #: Whether the stage's stopping rule never held, which makes its facts bad news.
    missed: bool = False
    facts: list[str] = field(default_factory=list)
    panels: list[CurvePanel] = field(default_factory=list)
    health: list[HealthRow] | None = None


def training_parts(material: Material, config: PipelineConfig) -> list[TrainingPart]:
    """The parts that have something to show, in the order of training."""
    events = material.health or []
    rl = material.curves["rl"]
    parts = [
        TrainingPart(
            "Base model: perception pretraining",
            panels=training_panels("base_model", material.curves["base_model"]),
        ),
        TrainingPart(
            "Warm start: instruction tuning on trajectories",
            missed=missed_rule(config.sft, material.curves["sft"]),
            facts=sft_facts(config.sft, material.curves["sft"]),
            panels=training_panels("sft", material.curves["sft"]),
        ),
        TrainingPart(
            f"Policy: GRPO, {reward_title(config.rl.reward)}",
            facts=[*rl_facts(config.rl), ending(config.rl, rl, events)] if rl else [],
            panels=training_panels("rl", rl, reward=config.rl.reward, events=events),
            health=None if material.health is None else health_rows(events),
        ),
    ]
    return [part for part in parts if part.panels or part.facts]


def sft_facts(config: SftConfig, curve: Sequence[CurveRow]) -> list[str]:
    """How the length of the warm start was decided; empty if it is simply ``steps``."""
    if not config.steps:
        return ["No warm start: the base model is handed on as it is, and RL starts from it."]
    if not config.select.rapr or not curve:
        return []
    return [rule(config), outcome(config.select, curve)]


def rl_facts(config: RlConfig) -> list[str]:
    """The reward and the algorithm's settings, in sentences."""
    said = [
        f"{config.queries} questions a step, {config.group} rollouts each, sampled at "
        f"temperature {config.sampling.temperature:g}. Advantage: "
        f"{_ADVANTAGES[config.advantage]}. The ratio is clipped at {1 - config.clip_low:g} and "
        f"{1 + config.clip_high:g}."
    ]
    if config.resample_rounds:
        said.append(
            "Uniform groups are replaced by fresh questions, in at most "
            f"{config.resample_rounds} further round{'s' * (config.resample_rounds > 1)}."
        )
    if config.replay.capacity:
        said.append(
            "Places still empty are filled with earlier rollouts, drawn by |advantage| to the "
            f"power {config.replay.exponent:g}, at most {config.replay.max_age} steps old."
        )
    if config.kl:
        said.append(f"KL to the warm start has weight {config.kl:g}.")
    if config.entropy:
        said.append(f"Entropy has weight {config.entropy:g}.")
    return [reward_text(config.reward), " ".join(said)]
