"""OpenRLHF's printed status lines as rows of our training curve.

It prints a line a step, and writes the same to TensorBoard or Weights & Biases; the line
needs neither. It comes from the trainer's actor through Ray, which sets the actor's name
before it:

    (PPOTrainer pid=41) INFO 11-22 20:15:03 ppo_trainer.py:512] ✨ Global step 3: {...}

What models say is printed too, but never at the beginning of a line: only a line that begins
so is believed.
"""

from __future__ import annotations

import math
import re

from pixel_core.records import StopReason
from pixel_core.training.openrlhf.scoring import PREFIX

Row = dict[str, float]

_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_HEAD = rf"{_COLOUR}(?:\([^()]*\)\s*)?{_COLOUR}\s*INFO [\d-]+ [\d:]+ ppo_trainer\w*\.py:\d+\] "
_STEP = re.compile(_HEAD + r"✨ Global step (\d+): (\{[^{}]*\})")
_SCORES = re.compile(
    _HEAD + r"✨ Evaluation completed in [\d:, a-z]+, global_step (\d+), "
    r"eval_metrics: (\{[^{}]*\})"
)
_PAIR = re.compile(r"'([^']+)': (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan))(?=[,}])")
#: OpenRLHF's name of the accuracy on the prompts of ``eval.jsonl``.
_PASSED = "eval_default_pass1"

#: Ours as they are.
_COPIED = (
    "accuracy",
    "rapr",
    "operations",
    "tokens",
    "reward",
    "reward_correct",
    "reward_curiosity",
    "reward_penalty",
    "uniform_groups",
    *(reason.value for reason in StopReason if reason is not StopReason.ANSWERED),
)
#: OpenRLHF's names, where ours mean the same.
_TRANSLATED = {
    "policy_loss": "loss",
    "actor_grad_norm": "grad_norm",
    "actor_lr": "learning_rate",
    "entropy_loss": "entropy",
    "ppo_kl": "kl_sampler",
    # Only where it has a weight: else it is 0, or nothing, made of nothing.
    "kl": "kl_warm_start",
}


def parse(line: str) -> tuple[int, Row] | None:
    """The step, from 1, and what the line says of it in our names; None for other lines.

    A line of an evaluation gives ``validation_accuracy`` alone.
    """
    if found := _STEP.match(line):
        return int(found[1]), row_of(_numbers(found[2]))
    if found := _SCORES.match(line):
        scores = _numbers(found[2])
        row = {"validation_accuracy": scores[_PASSED]} if _PASSED in scores else {}
        return int(found[1]), row
    return None


def row_of(status: Row) -> Row:
    """A step's status in the names of our curve; what is not in it is left out."""
    row = {ours: status[theirs] for theirs, ours in _TRANSLATED.items() if theirs in status}
    ours = {
        key.removeprefix(PREFIX): value
        for key, value in status.items()
        if key.startswith(PREFIX)
    }
    row |= {key: ours[key] for key in _COPIED if key in ours}
    if calls := ours.get("operations", 0.0):
        row["op_error_rate"] = ours["op_errors"] / calls
    used, both = ours.get("rapr", 0.0), ours.get("correct_with_operation", 0.0)
    if used:
        row["accuracy_with_operation"] = both / used
    if "accuracy" in ours and used < 1:
        row["accuracy_without_operation"] = (ours["accuracy"] - both) / (1 - used)
    return row


def diverged(row: Row) -> bool:
    """Whether an update that is no number was applied. A row may lack other numbers: a mean
    over no tokens at all is none, and harmless."""
    return not all(math.isfinite(row.get(key, 0.0)) for key in ("loss", "grad_norm"))


def _numbers(text: str) -> Row:
    return {name: float(value) for name, value in _PAIR.findall(text)}
