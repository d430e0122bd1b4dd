"""The probe: what would the model have answered before it looked closer?

An operation that is called and whose return is then not read gains nothing. So an episode in
which an operation was executed is taken back to its first turn, just before the call in it:
the same prompt and pictures, and the same words the model said up to there, token by token.
From there it goes on with the tokens that open a call never sampled, to the end of that one
turn. What its last ``\\boxed{}`` holds is the answer before looking. A turn cut by the token
limit, or with a call spelled out in other tokens, holds none. Words without a box are taken as
the benchmark's grader takes them after the look, so that both sides are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixel_core.config import SamplingConfig
from pixel_core.rollout.engine import Completion, Engine
from pixel_core.rollout.episode import Episode, RenderedPrompt, begin, take_turn
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import CLOSE, OPEN, opening_tokens
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.turns import TurnReader
from pixel_core.rollout.vocabulary import Vocabulary


def answer_before_looking(
    engine: Engine,
    prompts: Renderer,
    openings: Sequence[RenderedPrompt],
    episodes: Sequence[Episode],
    sampling: SamplingConfig,
) -> list[Episode]:
    """One episode of one turn for each of ``episodes`` that executed an operation, in order.

    ``episodes``: finished ones on ``openings``, as ``run_episodes`` gives them. ``engine``
    continues any transcript, so an endpoint's will not do. A turn has in all as many tokens as
    turns had before; ``tokens`` of its record counts those said before the cut, too.
    """
    of = {id(opening.query): opening for opening in openings}
    looked = [episode for episode in episodes if episode.operations]
    cuts = [_Cut.of(episode, of[id(episode.query)], prompts) for episode in looked]
    banned = opening_tokens(prompts.vocabulary)
    engine.forget()
    said: dict[int, Completion] = {}
    for places, limit in _batches(cuts, prompts):
        completions = engine.generate(
            [cuts[place].transcript for place in places], sampling, limit, banned
        )
        said |= dict(zip(places, completions, strict=True))
    engine.forget()
    # One turn: a call that was spelled out all the same ends it.
    alone = prompts.dialogue.model_copy(update={"operations": "none", "max_operations": 0})
    judged = Renderer(alone, prompts.vocabulary)
    reader = TurnReader(judged)
    before = []
    for place, cut in enumerate(cuts):
        take_turn(cut.episode, cut.turn(said[place], prompts), judged, reader)
        before.append(cut.episode)
    return before


class _Cut:
    """An episode at its beginning, and the words of its first turn before the call.

    ``transcript``: prompt and words. ``episode`` holds the prompt alone: the words come with
    the rest of their turn.
    """

    def __init__(self, episode: Episode, words: list[int]) -> None:
        self.episode = episode
        self.words = words
        self.transcript = episode.transcript.fork()
        self.transcript.append(words)

    @classmethod
    def of(cls, episode: Episode, opening: RenderedPrompt, prompts: Renderer) -> _Cut:
        (fresh,) = begin(opening, 1, prompts)
        fresh.sample = episode.sample
        turn = _first_turn(episode.transcript, len(fresh.transcript), prompts.vocabulary)
        return cls(fresh, turn[: place_of_call(turn, prompts.vocabulary)])

    def turn(self, rest: Completion, prompts: Renderer) -> Completion:
        """The whole turn. One longer than turns may be counts as cut at the limit."""
        limit = prompts.dialogue.max_new_tokens
        tokens = [*self.words, *rest.tokens]
        logprobs = [0.0] * len(tokens)  # of no use: nothing trains on a probe
        finished = rest.finished and len(tokens) <= limit
        return Completion(tokens[:limit], logprobs[:limit], finished)


def place_of_call(turn: Sequence[int], vocabulary: Vocabulary) -> int:
    """How many of the turn's tokens come before its call; all, if there is none."""
    openers = set(opening_tokens(vocabulary))
    text = vocabulary.decode(list(turn))
    first = next((at for at, token in enumerate(turn) if token in openers), len(turn))
    tags = [place for tag in (OPEN, CLOSE) if (place := text.find(tag)) >= 0]
    if not tags:
        return len(turn)
    # Spelled out in several tokens, or a closing tag alone: cut where its first letter is.
    while not text[: min(tags)].startswith(vocabulary.decode(list(turn[:first]))):
        first -= 1
    return first


def _first_turn(transcript: Transcript, start: int, vocabulary: Vocabulary) -> list[int]:
    """The tokens of the first turn, which begins at ``start``, without its end."""
    return transcript.tokens[start : transcript.tokens.index(vocabulary.turn_end, start)]


def _batches(cuts: Sequence[_Cut], prompts: Renderer) -> list[tuple[list[int], int]]:
    """Places in ``cuts`` that are continued together, and by how many tokens at most.

    Nearly always one batch. Where words already said leave less room in the context than a
    whole turn, that one goes alone, with what is left.
    """
    dialogue = prompts.dialogue
    room = [dialogue.max_tokens - len(cut.transcript) for cut in cuts]
    limit = dialogue.max_new_tokens
    together = [place for place, left in enumerate(room) if left >= limit]
    alone = [([place], left) for place, left in enumerate(room) if left < limit]
    return ([(together, limit)] if together else []) + alone
