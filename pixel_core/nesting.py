"""Limits the nesting depth of a text before it is parsed.

Python's parsers of JSON and TOML recurse, and stop where the interpreter's limit happens to be
reached: at a depth that depends on the caller's stack, leaving little stack for the error
handler. Here the depth is counted first, without recursion and in time linear in the text;
nesting deeper than ``MAX_DEPTH`` is refused, whatever the stack.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from itertools import accumulate
from typing import Any

#: Levels of lists and objects. Records, requests and answers have under twenty; the parsers,
#: and code that walks a value afterwards, could take about three hundred.
MAX_DEPTH = 100

#: A string, closed or not; possessive, so that no text causes backtracking.
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)

_BRACKETS = b"[]{}"
_NO_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_STEPS = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]


class TooDeep(ValueError):
    """A text that nests deeper than ``allowed``. The message states both depths."""

    def __init__(self, depth: int, allowed: int) -> None:
        super().__init__(f"it nests {depth:,} levels deep, allowed are {allowed}")
        self.depth = depth


def json_depth(text: str | bytes) -> int:
    """The most brackets open at once in a JSON text, valid or not; those in strings don't
    count."""
    return _depth(_utf8(text))


def check_json_depth(text: str | bytes, allowed: int = MAX_DEPTH) -> None:
    """Raises ``TooDeep``; ``UnicodeDecodeError`` for bytes that are not text."""
    data = _utf8(text)
    # So few brackets can't nest too deep in any order: nearly every text returns here.
    if data.count(b"[") + data.count(b"{") > allowed:
        depth = _depth(data)
        if depth > allowed:
            raise TooDeep(depth, allowed)


def loads(
    text: str | bytes,
    *,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
    allowed: int = MAX_DEPTH,
) -> Any:
    """``json.loads`` for untrusted texts: ``ValueError`` for invalid JSON, ``TooDeep`` (a
    subclass) for nesting deeper than ``allowed``."""
    check_json_depth(text, allowed)
    return json.loads(text, object_pairs_hook=object_pairs_hook, parse_constant=parse_constant)


def toml_loads(text: str) -> dict[str, Any]:
    """``tomllib.loads``: ``ValueError`` for invalid TOML, ``TooDeep`` (a subclass) for text
    that may nest deeper than ``MAX_DEPTH``: brackets in strings and comments count too, and so
    do the parts of a dotted key."""
    depth = _deepest(text.encode("utf-8", "surrogatepass"))
    if depth > MAX_DEPTH:
        raise TooDeep(depth, MAX_DEPTH)
    values = tomllib.loads(text)
    if is_deeper(values, MAX_DEPTH + 1):  # plus the file's implicit table
        raise TooDeep(MAX_DEPTH + 1, MAX_DEPTH)
    return values


def is_deeper(value: Any, allowed: int = MAX_DEPTH) -> bool:
    """Whether lists, tuples and dicts nest deeper in a value; cyclic values do."""
    level = _inside([value])
    for _ in range(allowed):
        # Each object once, or shared members would be counted on every path to them.
        level = list({id(inner): inner for one in level for inner in _inside(one)}.values())
        if not level:
            return False
    return bool(level)


def _inside(value: Any) -> list[Any]:
    """The members that may have members."""
    members: Any = ()
    if isinstance(value, dict):
        members = value.values()
    elif isinstance(value, list | tuple):
        members = value
    return [one for one in members if isinstance(one, dict | list | tuple)]


def _depth(data: bytes) -> int:
    return _deepest(_JSON_STRING.sub(b"", data))


def _deepest(data: bytes) -> int:
    brackets = data.translate(None, _NO_BRACKETS)
    return max(0, max(accumulate(map(_STEPS.__getitem__, brackets)), default=0))


def _utf8(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    encoding = json.detect_encoding(text)
    if encoding.startswith("utf-8"):
        return text
    return text.decode(encoding).encode("utf-8", "surrogatepass")
