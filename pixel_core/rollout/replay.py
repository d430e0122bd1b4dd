"""Trajectories as transcripts: their calls are carried out, as the episode loop would."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.errors import DataError
from pixel_core.records import Trajectory
from pixel_core.rollout.calls import CallError, SelectCall, parse_turn
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.masks import masked_tokens
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.operations_cache import OperationsCache
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript


def replay(trajectory: Trajectory, opening: RenderedPrompt, prompts: Renderer) -> Transcript:
    """Tokens with loss weights: 1 on what is trained, 0 on wrong operations and returns.

    Raises ``DataError`` for a trajectory whose call fails or that does not end in a turn
    without one: such a text would teach the model to fail.
    """
    return replay_marked(trajectory, opening, prompts).transcript


def replay_shown(
    trajectory: Trajectory, opening: RenderedPrompt, prompts: Renderer
) -> tuple[Transcript, list[ShownPicture]]:
    """The same, with the pictures shown: the query's, then what each call returned."""
    replayed = replay_marked(trajectory, opening, prompts)
    return replayed.transcript, replayed.shown


@dataclass(frozen=True)
class Replayed:
    """``turns``: which tokens of the transcript are the assistant's, turn by turn."""

    transcript: Transcript
    shown: list[ShownPicture]
    turns: list[range]


def replay_marked(
    trajectory: Trajectory, opening: RenderedPrompt, prompts: Renderer
) -> Replayed:
    """The same, with the places of the turns."""
    transcript = prompts.open(opening.query, opening.visuals)
    shown = list(opening.shown)
    album = OperationsCache(opening.shown, prompts.dialogue)
    frames = prompts.frames_of(opening.query)
    vocabulary = prompts.vocabulary
    turns: list[range] = []
    for number, turn in enumerate(trajectory.turns):
        tokens, weights = masked_tokens(turn, vocabulary)
        turns.append(range(len(transcript), len(transcript) + len(tokens)))
        transcript.append_weighted(tokens, weights)
        last = number == len(trajectory.turns) - 1
        try:
            call = parse_turn(turn.text, prompts.dialogue.zoom, frames)
            if (call is None) != last:
                raise DataError(
                    f"trajectory {trajectory.id}, turn {number}: "
                    f"{'the last turn calls' if last else 'no call in'} {turn.text!r}"
                )
            if call is None:
                continue
            shots, first = album.carry_out(call, shown), len(shown) + 1
            shown += [picture for picture, _ in shots]
            visuals = [visual for _, visual in shots]
            if isinstance(call, SelectCall):
                prompts.selected(transcript, call, visuals, first)
            else:
                prompts.crop(transcript, visuals[0], first)
        except CallError as error:
            raise DataError(
                f"trajectory {trajectory.id}, turn {number}: its call fails ({error}); "
                "synthesize again with these dialogue settings"
            ) from error
    return Replayed(transcript, shown, turns)
