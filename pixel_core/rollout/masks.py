"""A trajectory's turn as tokens, with the spans that are not trained masked."""

from __future__ import annotations

from pixel_core.errors import ConfigError
from pixel_core.records import Turn
from pixel_core.rollout.vocabulary import Vocabulary


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
