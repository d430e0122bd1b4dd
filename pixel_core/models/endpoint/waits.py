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
#: From here on a number is a moment since 1970: in seconds, milli-, micro-, nanoseconds.
_EPOCHS = (1e9, 1e12, 1e15, 1e18)
#: Seconds that a moment may be over: clocks differ.
_CLOCKS = 3600.0

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?|[+-]?\.\d+")
_UNITS = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("毫秒",), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒", "秒钟"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "分", "分钟"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时"), 3600.0),
    **dict.fromkeys(("d", "day", "days", "天"), 86_400.0),
}
_PIECE = r"\d+(?:\.\d+)?\s*(?:[a-zµμ]+|毫秒|秒钟?|分钟?|小时|天)"
_PIECES = re.compile(
    r"(\d+(?:\.\d+)?)\s*([a-zµμ]+|毫秒|秒钟?|分钟?|小时|天)(?:\s*,?\s*(?:and\s+)?)"
)
_DURATION = re.compile(rf"(?:{_PIECE}\s*,?\s*(?:and\s+)?)+")
_ISO = re.compile(
    r"p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?)?", re.IGNORECASE
)
_WAITED = rf"(?:{_PIECE}(?:\s*,?\s*(?:and\s+)?))+"
_BARE = r"\d+(?:\.\d+)?(?![\w:/-])"
_GREENWICH = re.compile(r"\s*(?:utc|gmt|z)$", re.IGNORECASE)
#: What comes before a wait in an error's text, or, in Chinese, after it.
_SAID = (
    re.compile(
        r"(?:wait|retry[- ]after:?|(?:again|retr(?:y|ying|ied)|wait|waiting|available|resets?"
        r"|limited|blocked|cool(?:ing)?[ -]?down|back[ -]?off|your request|the request)"
        rf"(?:\s+(?:in|after|for|at\s+least|about|another))+):?\s+~?({_WAITED}|{_BARE})"
    ),
    re.compile(r"(?:请|等待|等候|稍等|需要?)\s*(?:在|于|等待?)?\s*" + f"({_WAITED})"),
    re.compile(rf"({_WAITED})\s*(?:之?后|以后)"),
)
#: A moment in such a text.
_MOMENT = re.compile(
    r"(?:until|resets?|at|after|available)\s+(?:at\s+|on\s+|after\s+)?"
    r"(\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?\s*(?:z|utc|gmt|[+-]\d\d:?\d\d)?)"
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
            "resetsinseconds",
            "resetsin",
            "resetin",
            "resetsat",
            "resetat",
            "waitseconds",
            "waittime",
            "ratelimitreset",
            "xratelimitreset",
        ),
        1.0,
    ),
}
#: Characters of a value at most.
_LONGEST = 64
#: Headers of a wait, without marks between their words; longer names end with them.
_AFTER = (("retryafterms", 1e-3), ("retryafter", 1.0))
#: In the draft's newer header ``RateLimit``: what remains, and the seconds until the reset.
_LIMIT = re.compile(r"(?:^|[,;\s])(?:t|reset)=(\d+)")
_REMAINS = re.compile(r"(?:^|[,;\s])(?:r|remaining)=(\d+)")
#: How deep an error is looked into, and how many of its values.
_DEPTH, _MANY = 6, 500


def told_wait(headers: Mapping[str, str], body: Any = None) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not say, or says nothing
    that can be meant: no number, less than none, a week and more, a moment long past.

    ``body``: the error as it was sent, read from JSON, or a text.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for ending, scale in _AFTER:
        # The standard's own name first, then others such as "x-ratelimit-retry-after".
        for name in sorted(lower, key=len):
            wait = _of_header(lower[name], scale) if _plain(name).endswith(ending) else None
            if wait is not None:
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


def _of_header(value: str, scale: float = 1.0) -> float | None:
    """Of a header that was sent twice and joined, the longest; without the parameters that
    a structured field may have."""
    if (whole := read_wait(value, scale)) is not None:
        return whole
    parts = [read_wait(part.partition(";")[0], scale) for part in value.split(",")]
    return max((wait for wait in parts if wait is not None), default=None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _number(number: float, scale: float) -> float | None:
    if not math.isfinite(number):
        return None
    unit = sum(number >= least for least in _EPOCHS) - 1
    if unit >= 0:
        return _until(number / 1000**unit)
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
        text = (
            re.sub(r"\s*(?:UTC|GMT|Z)$", "+00:00", text, flags=re.I)
            if text[:1] in "12"
            else text
        )
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
        plain = _plain(name)
        if plain == "ratelimit" and (stated := _LIMIT.search(value)):
            left = _REMAINS.search(value)
            wait, remaining = read_wait(stated[1]), left[1] if left else ""
        elif "ratelimit" in plain and "reset" in plain:
            wait = _of_header(value)
            remaining = headers.get(name.replace("reset", "remaining"), "").strip()
        else:
            continue
        if wait is None:
            continue
        used_up = _NUMBER.fullmatch(remaining) and float(remaining) <= 0
        (met if used_up else others).append(wait)
    if met:
        return max(met)
    return min(others) if others else None


def _in_body(body: Any) -> float | None:
    texts: list[str] = []
    for key, value in _values(body):
        plain = _plain(key)
        if plain in _FIELDS and (wait := read_wait(value, _FIELDS[plain])) is not None:
            return wait
        if isinstance(value, str):
            texts.append(value)
    for text in texts:
        text = text[:2000].lower()
        for found in filter(None, (said.search(text) for said in _SAID)):
            wait = _said(found[1])
            if wait is not None:
                return wait
        moment = _MOMENT.search(text)
        if moment and (wait := _date(moment[1].strip().upper())) is not None:
            return wait
    return None


def _said(text: str) -> float | None:
    said = text.strip(" ,").removesuffix(" and")
    # Words may follow: "in 20 s because ..." is a duration and a word.
    return _number(float(said), 1.0) if _NUMBER.fullmatch(said) else _leading(said)


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
            if isinstance(value, dict) and _plain(key) in _FIELDS and "seconds" in value:
                yield key, value["seconds"]  # a protobuf Duration
            elif isinstance(value, dict):
                following += [(str(name), inner) for name, inner in value.items()]
            elif isinstance(value, list):
                following += [(key, inner) for inner in value]
            else:
                yield key, value
        level = following
