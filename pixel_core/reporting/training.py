"""The training section: a part for each stage, its facts in words and its curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pixel_core.config import PipelineConfig, RlConfig, SelectConfig, SftConfig
from pixel_core.pages.wording import percent
from pixel_core.reporting.curves import Panel, training_panels
from pixel_core.reporting.health import HealthRow, ending, health_rows
from pixel_core.reporting.material import CurveRow, Material
from pixel_core.reporting.reward_words import reward_text, reward_title

_ADVANTAGES = {
    "mean": "the reward less its group's mean",
    "mean_std": "the reward less its group's mean, over the group's standard deviation",
    "leave_one_out": "the reward less the mean of the group's others",
}
#: Curves are written with six digits.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class TrainingPart:
    """One stage; ``health`` is None where warnings are not recorded."""

    title: str
    facts: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
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
    """What the warm start's length was decided by; nothing where it is simply ``steps``."""
    if not config.steps:
        return ["No warm start: the base model is handed on as it is, and RL starts from it."]
    if not config.select.rapr or not curve:
        return []
    return [_rule(config), _outcome(config.select, curve)]


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


def _rule(config: SftConfig) -> str:
    select = config.select
    also = ""
    if select.accuracy_with_operation:
        also = (
            f" and {percent(select.accuracy_with_operation, 0)} of the answers with an "
            "operation are right"
        )
    each = f"{select.samples} answers" if select.samples > 1 else "one answer"
    return (
        f"Selection rule, set before RL: training ends at the first check, one every "
        f"{select.every} steps, at which RaPR is at least {percent(select.rapr, 0)}{also}. "
        f"Asked are {select.questions} validation questions, {each} each, sampled at "
        f"temperature {select.temperature:g}; at most {config.steps} steps."
    )


def _outcome(select: SelectConfig, curve: Sequence[CurveRow]) -> str:
    checks = [row for row in curve if "validation_rapr" in row]
    if not checks:
        return "The rule's checks are not in the curve."
    last = checks[-1]
    seen = f"RaPR {percent(last['validation_rapr'])}"
    # A check at which no answer used an operation has no such accuracy.
    accuracy = last.get("validation_accuracy_with_operation", 0.0)
    if select.accuracy_with_operation and last["validation_rapr"]:
        seen += f", {percent(accuracy)} of the answers with an operation right"
    reached = (
        last["validation_rapr"] >= select.rapr - _ROUNDING
        and accuracy >= select.accuracy_with_operation - _ROUNDING
    )
    if reached:
        return f"Reached at step {last['step']:g}: {seen}."
    return (
        f"Not reached in {len(curve)} steps: {seen} at the last check, step {last['step']:g}. "
        "The last weights are handed on."
    )
