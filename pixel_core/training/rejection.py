"""Which sampled answers may become text-only trajectories.

An answer is kept when it is right, was given in one finished turn without any operation, and
is spelt in text with exactly the tokens that were sampled: a trajectory holds texts, training
encodes them, and what is trained has to be what the model said.
"""

from __future__ import annotations

from enum import StrEnum

from pixel_core.records import StopReason, Trajectory, TrajectoryKind, Turn
from pixel_core.rollout.episode import Episode, RenderedPrompt
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay


class RejectionReason(StrEnum):
    """Why an answer is not kept; the first that holds. Each is counted in the metrics."""

    USED_OPERATION = "used_operation"  #: an operation was made, or tried
    UNFINISHED = "unfinished"  #: cut by a limit, or ended without a boxed answer
    WRONG = "wrong"
    RESPELT = "respelt"  #: encoding its text gives other tokens than were sampled


def accept(
    episode: Episode, opening: RenderedPrompt, prompts: Renderer
) -> Trajectory | RejectionReason:
    """The answer as a trajectory, or why it can't be one. ``opening``: what it answers."""
    if episode.attempts:
        return RejectionReason.USED_OPERATION
    if episode.stop is not StopReason.ANSWERED:
        return RejectionReason.UNFINISHED
    if not episode.correct:
        return RejectionReason.WRONG
    trajectory = Trajectory(
        id=f"{episode.query.id}:{TrajectoryKind.TEXT_ONLY}",
        seed_id=episode.query.id,
        kind=TrajectoryKind.TEXT_ONLY,
        turns=tuple(Turn(text=step.text) for step in episode.steps),
    )
    # Training builds its tokens by this same replay.
    if replay(trajectory, opening, prompts).tokens != episode.transcript.tokens:
        return RejectionReason.RESPELT
    return trajectory
