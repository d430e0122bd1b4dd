"""How many tokens a request costs, so that usage and prices come out plausible."""

from __future__ import annotations

import math

#: A picture at high detail costs a base and a price for each tile it is cut into, after
#: shrinking it into a square and its shorter side to a bound
#: (OpenAI, "Images and vision": calculating costs, GPT-4o).
_BASE, _TILE = 85, 170
_SQUARE, _SHORTER, _TILE_SIDE = 2048, 768, 512

#: Characters of English a token has, about.
_CHARACTERS = 4
#: What wraps each message.
_MESSAGE = 4


def picture_tokens(width: int, height: int) -> int:
    """Tokens of a picture of that many pixels, sent at high detail."""
    shrink = min(1.0, _SQUARE / max(width, height))
    shrink *= min(1.0, _SHORTER / (min(width, height) * shrink))
    # Rounded as sides are in pixels: 2048 x 768 must not become two tiles high and a sliver.
    columns, rows = (
        math.ceil(round(side * shrink) / _TILE_SIDE) or 1 for side in (width, height)
    )
    return _BASE + _TILE * columns * rows


def text_tokens(text: str) -> int:
    """Tokens of a text, about."""
    return math.ceil(len(text) / _CHARACTERS)


def message_tokens(messages: int) -> int:
    """Tokens that so many messages take beside their content."""
    return _MESSAGE * messages
