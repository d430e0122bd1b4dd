"""Trajectories as transcripts: their calls are carried out, as the episode loop would."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.errors import ConfigError, DataError
from pixel_core.records import Trajectory, Turn
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.operations_cache import OperationsCache
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import CallError, SelectCall, parse_turn
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary

# A trajectory's turn as tokens, with the spans that are not trained masked.


def masked_tokens(turn: Turn, vocabulary: Vocabulary) -> tuple[list[int], list[float]]:
    """The turn's tokens and their loss weights, the end-of-turn token last.

    A token is masked (weight 0) when any of its characters is untrained; the end of the turn
    when the last character is, because then it closes what is not to be learnt. The text is
    encoded in one piece, as the model writes it, so a span never changes a token.
    ``ConfigError`` for a tokenizer that can't tell which characters its tokens stand for.
    """
    text, spans = turn.text, turn.untrained
    tokens = vocabulary.encode_plain(text)
    end_weight = 0.0 if spans and spans[-1][1] == len(text) else 1.0
    if not spans:
        weights = [1.0] * len(tokens)
    elif spans == ((0, len(text)),):
        weights = [0.0] * len(tokens)
    else:
        weights = [
            float(not any(start < high and low < stop for low, high in spans))
            for start, stop in _extents(text, len(tokens), vocabulary)
        ]
    return [*tokens, vocabulary.turn_end], [*weights, end_weight]


def _extents(text: str, count: int, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """The characters of each token, together the whole text. Tokens that share a character
    (its bytes) both have it."""
    tokenizer = vocabulary.tokenizer
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"{type(tokenizer).__name__} does not say which characters its tokens stand for, "
            "so mistakes can't be masked: use the fast tokenizer of this model"
        )
    offsets = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
    ).offset_mapping
    assert len(offsets) == count
    extents: list[tuple[int, int]] = []
    reached = 0
    for start, stop in offsets:
        # Some offsets leave out the space before a word, or an accent that was joined with
        # its letter: such a character counts to the tokens on both its sides.
        if extents and start > reached:
            extents[-1] = (extents[-1][0], start)
        extents.append((min(start, reached), stop))
        reached = max(reached, stop)
    if extents:
        extents[-1] = (extents[-1][0], len(text))
    return extents


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
    op_cache = OperationsCache(opening.shown, prompts.dialogue)
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
            shots, first = op_cache.carry_out(call, shown), len(shown) + 1
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
