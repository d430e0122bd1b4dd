"""A request's body, bounded while it is read, as one strict JSON object."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from starlette.requests import Request

from pixel_core.nesting import TooDeep, loads
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.errors import Refusal, bad_request

#: Most values in the JSON, counted by punctuation: base64 text has none, so only a body
#: built to fill memory with small objects comes near.
_MAX_VALUES = 100_000
_PUNCTUATION = (b",", b"[", b"{")
_MAX_DEPTH = 32


async def read_body(request: Request, limits: Limits, took: Callable[[int], None]) -> bytes:
    """The body. ``took`` is called with each chunk's size and may refuse it. ``Refusal`` 413
    when it is too large, 415 when it is not JSON, 408 when it comes too slowly;
    ``ClientDisconnect``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            415,
            f"the content type is {kind[:60]!r}: send JSON, as application/json",
            code="unsupported_media_type",
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(
            415,
            "the body is compressed: send it as it is, without Content-Encoding",
            code="unsupported_media_type",
        )
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _bounded(request, limits.max_body_bytes, took)
    except TimeoutError:
        raise Refusal(
            408,
            f"the body did not arrive within {limits.body_timeout_s:g} s: send it faster, or "
            "smaller",
            code="request_timeout",
        ) from None


async def _bounded(request: Request, limit: int, took: Callable[[int], None]) -> bytes:
    held = bytearray()
    async for chunk in request.stream():
        if len(held) + len(chunk) > limit:
            raise Refusal(
                413,
                f"the body is larger than {limit:,} bytes: send smaller or fewer pictures",
                code="request_too_large",
            )
        took(len(chunk))
        held += chunk
    return bytes(held)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object. ``Refusal`` 400 for anything else, for a key given twice, for numbers
    that JSON does not have, and for a structure that is too deep or too large."""
    if sum(body.count(mark) for mark in _PUNCTUATION) > _MAX_VALUES:
        raise bad_request(f"the JSON holds more than {_MAX_VALUES:,} values", code="bad_json")
    try:
        value = loads(
            body, object_pairs_hook=_once, parse_constant=_no_number, allowed=_MAX_DEPTH
        )
    except TooDeep:
        raise bad_request(
            f"the JSON is nested deeper than {_MAX_DEPTH} levels", code="bad_json"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise bad_request(f"the body is no JSON: {error}"[:300], code="bad_json") from None
    if not isinstance(value, dict):
        raise bad_request("the body is JSON, but no object", code="bad_json")
    _check_numbers(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise bad_request("the JSON gives a key twice in one object", code="bad_json")
    return found


def _no_number(name: str) -> NoReturn:
    raise bad_request(f"the JSON holds {name}, which is no number of JSON", code="bad_json")


def _check_numbers(value: Any) -> None:
    level = [value]
    while level:
        level = [inner for one in level for inner in _inside(one)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, float) and not math.isfinite(value):
        raise bad_request("the JSON holds a number out of range", code="bad_json")
    return value if isinstance(value, list) else []
