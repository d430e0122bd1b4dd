"""The results of the comparison with TRL, as a section of ``RESULTS.md``."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measure import Figure, Times, table
from bench.trl.job import Placing, Steps, Work
from pixel_core.config import DialogueConfig

TITLE = "Curiosity RL beside TRL's GRPOTrainer"
#: Names of a turn's programs, in its runs.
OURS, ALONE, PEER = "ours, 2 workers", "ours, 1 worker", "TRL"

#: What is equal, and what is not.
_TERMS = """\
Both programs: the same weights, questions and batches (a step has the same questions in
both), the tool, the reward, temperature 1 and the same tokens banned, at most {turn} tokens a
turn and {calls} calls, advantages over the group's deviation, clipping at 0.2, no KL, AdamW at
the paper's rate of 1e-6 (so that the policy, and with it the work, stays as it is), float32,
no checkpoints. Prompts and returns have the same tokens; the benchmark stops where they do
not. A trajectory counts if a call was executed, its picture returned, and the policy went on.

TRL has `environment_factory` (experimental), the Pillow image processor, pictures decoded and
resized once beforehand, no gradient checkpointing, no logging, no padding to multiples, no
vLLM. It trains on turns that were cut by the limit and computes the gradient of groups without
an advantage; ours does neither ({left_out} of its rollouts were in such groups). With cut
turns masked (`mask_truncated_completions`) TRL 1.16 stopped with a shape error in its M-RoPE
positions, so they are not masked. Ours reads its pictures from the archive in every step, and
computes rollouts of a question once for as long as they say the same: the sharper a policy,
the more it gains."""


@dataclass(frozen=True)
class Comparison:
    """``tried``: the peer's placings; ``turns``: runs by program; ``warm_start``: the last."""

    versions: str
    peer: Placing
    tried: Mapping[Placing, Steps]
    turns: Sequence[Mapping[str, Steps]]
    warm_start: Mapping[str, Steps]
    dialogue: DialogueConfig


def section(
    found: Comparison, asked: argparse.Namespace, facts: Mapping[str, str | int]
) -> str:
    """The section's body, in Markdown; the tables' order of programs is that of a turn."""
    used = sum((turn[OURS].work for turn in found.turns), Work())
    return "\n\n".join(
        [
            f"`make bench-trl STORE=...`, turns: {asked.repeats}, steps a run: "
            f"{asked.warm_up} to warm up and {asked.steps} timed, {asked.queries} questions x "
            f"{asked.group} rollouts a step. The peer: {found.versions}, {found.peer.text}, "
            "the quickest of the placings below. Ratios are of ours to it.",
            "- " + "\n- ".join(f"{name}: {value}" for name, value in facts.items()),
            f"The trained policy:\n\n{table(_figures(found.turns))}",
            f"The warm start, one turn:\n\n{table(_figures([found.warm_start]))}",
            f"TRL's placings, the trained policy:\n\n{_placings(found)}",
            _TERMS.format(
                turn=found.dialogue.max_new_tokens,
                calls=found.dialogue.max_operations,
                left_out=_share(used.left_out, used.rollouts),
            ),
        ]
    )


def _figures(turns: Sequence[Mapping[str, Steps]]) -> list[Figure]:
    measures = (
        ("multi-turn trajectories", "a second", 1, lambda run: run.seconds_a_trajectory),
        ("optimizer steps", "a minute", 60, lambda run: run.seconds_a_step),
    )
    figures = []
    for what, unit, count, seconds in measures:
        times = {name: Times(tuple(seconds(turn[name]) for turn in turns)) for name in turns[0]}
        for name in sorted(times, key=[OURS, ALONE, PEER].index):
            ratio = None if name == PEER else times[name].times_as_fast_as(times[PEER])
            work = sum((turn[name].work for turn in turns), Work())
            title = f"{name}: {what}"
            figures.append(
                times[name].rate(title, count, unit, peer=ratio, note=_described(work))
            )
    return figures


def _described(work: Work) -> str:
    return (
        f"{work.multi_turn} of {work.rollouts} rollouts multi-turn, "
        f"{work.tokens / work.rollouts:.1f} tokens sampled a rollout"
    )


def _placings(found: Comparison) -> str:
    """Short trials, not in turns with ours, compared with the medians of ours."""
    lines = [
        f"| placing | seconds a step | multi-turn trajectories a second | {OURS} |",
        "|---|---|---|---|",
    ]
    ours = statistics.median(turn[OURS].seconds_a_trajectory for turn in found.turns)
    for placing, run in found.tried.items():
        theirs = run.seconds_a_trajectory
        lines.append(
            f"| {placing.text} | {run.seconds_a_step:.2f} | {1 / theirs:.0f} "
            f"| about {theirs / ours:.1f} x as fast |"
        )
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}"
