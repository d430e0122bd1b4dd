"""Counts the tokens of a request, for plausible usage and prices."""

from __future__ import annotations

import math

#: A picture at high detail costs a base and a price per tile, after it is shrunk to fit a
#: square and its shorter side to a bound
#: (OpenAI, "Images and vision": calculating costs, GPT-4o).
_BASE, _TILE = 85, 170
_SQUARE, _SHORTER, _TILE_SIDE = 2048, 768, 512

#: Approximate characters of English per token.
_CHARACTERS = 4
#: Tokens that wrap each message.
_MESSAGE = 4


def picture_tokens(width: int, height: int) -> int:
    """Tokens of a picture of this size in pixels, sent at high detail."""
    shrink = min(1.0, _SQUARE / max(width, height))
    shrink *= min(1.0, _SHORTER / (min(width, height) * shrink))
    # Rounded to whole pixels: 2048 x 768 must not become two tiles high and a sliver.
    columns, rows = (
        math.ceil(round(side * shrink) / _TILE_SIDE) or 1 for side in (width, height)
    )
    return _BASE + _TILE * columns * rows


def text_tokens(text: str) -> int:
    """Approximate tokens of a text."""
    return math.ceil(len(text) / _CHARACTERS)


def message_tokens(messages: int) -> int:
    """Tokens that this many messages take beside their content."""
    return _MESSAGE * messages
