"""How long an endpoint asks to wait, wherever and however it says so.

Headers first: ``retry-after-ms`` and ``retry-after`` (RFC 9110), then the resets of rate
limits (OpenAI's ``x-ratelimit-reset-tokens``, Anthropic's
``anthropic-ratelimit-tokens-reset``, ``ratelimit-reset`` of the IETF's draft, ...), then the
error in the body: fields such as Google's ``retryDelay``, and "try again in 1m30s".
"""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

#: Seconds beyond which a wait is a slip and not a plan: it is passed over.
_ABSURD = 7 * 86_400.0
#: From here on a number is a moment, in seconds or milliseconds since 1970.
_EPOCH, _EPOCH_MS = 1e9, 1e12
#: Seconds that a moment may be over: clocks differ.
_CLOCKS = 3600.0

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?|[+-]?\.\d+")
_UNITS = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
}
_PIECE = r"\d+(?:\.\d+)?\s*(?:[a-zµμ]+)"
_PIECES = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµμ]+)(?:\s*,?\s*(?:and\s+)?)")
_DURATION = re.compile(rf"(?:{_PIECE}\s*,?\s*(?:and\s+)?)+")
_ISO = re.compile(
    r"p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?)?", re.IGNORECASE
)
#: What comes before a wait in an error's text.
_SAID = re.compile(
    r"(?:wait|(?:again|retry|retrying|wait|waiting|available|resets?)"
    r"(?:\s+(?:in|after|for|at\s+least|about|another))+)\s+"
    rf"((?:{_PIECE}(?:\s*,?\s*(?:and\s+)?))+|\d+(?:\.\d+)?(?![\w:/-]))"
)
#: Fields of an error, without marks between their words, and what their numbers are in.
_FIELDS = {
    **dict.fromkeys(("retryafterms", "retryaftermilliseconds"), 1e-3),
    **dict.fromkeys(
        (
            "retryafter",
            "retryaftersec",
            "retryafterseconds",
            "retrydelay",
            "retryin",
            "resetafter",
            "resetinseconds",
            "ratelimitreset",
            "xratelimitreset",
        ),
        1.0,
    ),
}
#: Characters of a value at most.
_LONGEST = 64
#: How deep an error is looked into, and how many of its values.
_DEPTH, _MANY = 6, 500


def told_wait(headers: Mapping[str, str], body: Any = None) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not say, or says nothing
    that can be meant: no number, less than none, a week and more, a moment long past.

    ``body``: the error as it was sent, read from JSON, or a text.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        if (wait := read_wait(lower.get(name), scale)) is not None:
            return wait
    found = _reset(lower)
    return _in_body(body) if found is None else found


def read_wait(value: Any, scale: float = 1.0) -> float | None:
    """Seconds from now, of a number (in ``scale`` seconds), a duration ("1m30s", "250ms",
    "PT90S"), a moment since 1970, an HTTP date or an ISO 8601 date; None for what is none
    of these."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip().lower()
    if len(text) > _LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        return _number(float(text), scale)
    if _DURATION.fullmatch(text):
        return _duration(text)
    iso = _ISO.fullmatch(text)
    if iso and any(iso.groups()):
        days, hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return _sane(days * 86_400 + hours * 3600 + minutes * 60 + seconds)
    return _date(str(value).strip())


def _number(number: float, scale: float) -> float | None:
    if not math.isfinite(number):
        return None
    if number >= _EPOCH:
        moment = number / 1000 if number >= _EPOCH_MS else number
        return _until(moment)
    return _sane(number * scale)


def _until(moment: float) -> float | None:
    wait = moment - time.time()
    return None if wait < -_CLOCKS else _sane(max(0.0, wait))


def _sane(seconds: float) -> float | None:
    return seconds if 0 <= seconds <= _ABSURD else None


def _duration(text: str) -> float | None:
    total = 0.0
    for number, unit in _PIECES.findall(text):
        if unit not in _UNITS:
            return None
        total += float(number) * _UNITS[unit]
    return _sane(total)


def _date(text: str) -> float | None:
    try:
        date = email.utils.parsedate_tz(text)
        if date is not None:
            return _until(email.utils.mktime_tz(date))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _until(moment.timestamp())


def _reset(headers: Mapping[str, str]) -> float | None:
    """The wait until the limit that was met is reset. Each limit may say what remains of
    it: of those that say nothing remains, the longest; else of all, the shortest."""
    met: list[float] = []
    others: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        wait = read_wait(value)
        if wait is None:
            continue
        remaining = headers.get(name.replace("reset", "remaining"), "").strip()
        used_up = _NUMBER.fullmatch(remaining) and float(remaining) <= 0
        (met if used_up else others).append(wait)
    if met:
        return max(met)
    return min(others) if others else None


def _in_body(body: Any) -> float | None:
    texts: list[str] = []
    for key, value in _values(body):
        plain = re.sub(r"[^a-z]", "", key.lower())
        if plain in _FIELDS and (wait := read_wait(value, _FIELDS[plain])) is not None:
            return wait
        if isinstance(value, str):
            texts.append(value)
    for text in texts:
        found = _SAID.search(text[:2000].lower())
        if found:
            said = found[1].strip(" ,").removesuffix(" and")
            # Words may follow: "in 20 s because ..." is a duration and a word.
            wait = _number(float(said), 1.0) if _NUMBER.fullmatch(said) else _leading(said)
            if wait is not None:
                return wait
    return None


def _leading(text: str) -> float | None:
    """The duration a text begins with."""
    total, place, found = 0.0, 0, False
    while piece := _PIECES.match(text, place):
        if piece[2] not in _UNITS:
            break
        total += float(piece[1]) * _UNITS[piece[2]]
        place, found = piece.end(), True
    return _sane(total) if found else None


def _values(body: Any) -> Iterator[tuple[str, Any]]:
    """The plain values in a JSON value with their names, the outer ones first."""
    level: list[tuple[str, Any]] = [("", body)]
    left = _MANY
    for _ in range(_DEPTH):
        following: list[tuple[str, Any]] = []
        for key, value in level:
            left -= 1
            if left < 0:
                return
            if isinstance(value, dict):
                following += [(str(name), inner) for name, inner in value.items()]
            elif isinstance(value, list):
                following += [(key, inner) for inner in value]
            else:
                yield key, value
        level = following
