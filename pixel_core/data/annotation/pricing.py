"""Prices of answers. Sums are exact: amounts are ints of picodollars (1e-12 US dollars),
the price of one token if a million tokens are priced to a millionth of a dollar.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction

from pixel_core.config import TokenPrices
from pixel_core.data.annotation.requests import AnnotationRequest, PictureView
from pixel_core.models.endpoint.completion import (
    Reply,
    is_metered,
    likely_completion_tokens,
    read_reply,
)

# Prompt tokens of a picture, by the model family's documented rule.
#
# Source: OpenAI, "Images and vision", section "Calculating costs": at high detail a picture
# is scaled to fit 2048 x 2048, then its shorter side down to 768, and counts a base plus an
# amount for each tile of 512 x 512. 1024 x 1024 is 765 tokens of gpt-4o, 2048 x 4096 is 1105.


_FIT = 2048
_SHORT = 768
_TILE = 512

#: Tokens of the base and of a tile by model name, the longest prefix first.
_TILED = (
    ("gpt-4o-mini", 2833, 5667),
    ("gpt-4o", 85, 170),
    ("gpt-4.5", 85, 170),
    ("gpt-4-turbo", 85, 170),
    ("gpt-5-chat", 70, 140),
    ("o1", 75, 150),
    ("o3", 75, 150),
)
#: Side in pixels of a visual token, for models that count patches; 28 is Qwen2.5-VL's.
_PATCH = 28


def picture_tokens(model: str, width: int, height: int) -> int:
    """Tokens of a picture of ``width`` x ``height`` pixels, as sent.

    For a model with an unknown rule, the larger of gpt-4o's count and one token for each
    28 x 28 pixels, so that it rather overestimates.
    """
    for prefix, base, tile in _TILED:
        if model.startswith(prefix):
            return base + tile * _tiles(width, height)
    patches = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    return max(85 + 170 * _tiles(width, height), patches)


def view_size(view: PictureView) -> tuple[int, int]:
    """Width and height in pixels of a view as it is sent."""
    region = view.region
    width = view.picture.width if region is None else region.x2 - region.x1
    height = view.picture.height if region is None else region.y2 - region.y1
    scale = math.sqrt(view.max_pixels / (width * height))
    if scale >= 1:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))


def _tiles(width: int, height: int) -> int:
    scale = min(1.0, _FIT / max(width, height))
    scale *= min(1.0, _SHORT / (scale * min(width, height)))
    # A side that is exactly a multiple of a tile must not count one tile more.
    across, down = (math.ceil(round(scale * side, 6) / _TILE) for side in (width, height))
    return max(1, across) * max(1, down)


PICO = 10**12
_PER = 10**6  #: Prices are stated for this many tokens.
#: Tokens that a message, and the prompt as a whole, take besides their text.
_AROUND = 16
#: Characters of English or JSON per token, about.
_CHARACTERS = 4


def picodollars(usd: float) -> int:
    """The decimal amount, rounded to the nearest picodollar."""
    return int((Decimal(repr(usd)) * PICO).to_integral_value())


def dollars(picodollars: int) -> float:
    return picodollars / PICO


def price(
    prices: TokenPrices, *, prompt: int, cached: int = 0, completion: int, batch: bool = False
) -> int:
    """Picodollars for these tokens; ``cached`` of the ``prompt`` tokens cost less."""
    cached = min(cached, prompt)
    total = (
        (prompt - cached) * _each(prices.prompt)
        + cached * _each(prices.cached_prompt)
        + completion * _each(prices.completion)
    )
    if batch:
        total *= Fraction(repr(prices.batch_share))
    return -(-total.numerator // total.denominator)


def reply_price(prices: TokenPrices, reply: Reply, *, batch: bool = False) -> int:
    """Picodollars for a reply, by the token counts it reports."""
    return price(
        prices,
        prompt=reply.prompt_tokens,
        cached=reply.cached_tokens,
        completion=reply.completion_tokens,
        batch=batch,
    )


def unusable_price(
    prices: TokenPrices, model: str, request: AnnotationRequest, body: bytes
) -> int:
    """Picodollars for a body that is not an answer: by the usage it reports; if it was cut
    before that, by about what was written; nothing if no model wrote it, as with a proxy's
    error page."""
    if is_metered(body):
        return reply_price(prices, read_reply(body))
    written = likely_completion_tokens(body)
    if not written:
        return 0
    prompt = expected_tokens(model, request)
    completion = min(written, request.max_tokens)
    return price(prices, prompt=prompt, completion=completion)


def most_tokens(model: str, request: AnnotationRequest) -> int:
    """Upper bound of a request's prompt tokens: a token is at least a byte of its text."""
    return _picture_tokens(model, request) + _text(request, 1)


def expected_tokens(model: str, request: AnnotationRequest) -> int:
    """Estimated prompt tokens of a request."""
    return _picture_tokens(model, request) + _text(request, _CHARACTERS)


def most_price(
    prices: TokenPrices, model: str, request: AnnotationRequest, *, batch: bool = False
) -> int:
    """The most that the answer to a request can cost, in picodollars."""
    prompt = most_tokens(model, request)
    return price(prices, prompt=prompt, completion=request.max_tokens, batch=batch)


def _each(per_million: float) -> Fraction:
    """Picodollars for one token, exactly."""
    return Fraction(repr(per_million)) * PICO / _PER


def _picture_tokens(model: str, request: AnnotationRequest) -> int:
    return sum(picture_tokens(model, *view_size(view)) for view in request.views)


def _text(request: AnnotationRequest, bytes_a_token: int) -> int:
    text = json.dumps([request.messages, request.response_format], ensure_ascii=False)
    return -(-len(text.encode()) // bytes_a_token) + _AROUND * (1 + len(request.messages))
