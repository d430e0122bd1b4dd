"""Why two keys differ, in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()
_SHOWN = 3


def explain(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Compare two identities' parts, e.g. "`sft.steps` 100 -> 200; input `ingest` changed"."""
    reasons = list(_reasons(old, new))
    more = len(reasons) - _SHOWN
    return "; ".join(reasons[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _reasons(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["version"] != new["version"]:
        yield f"the stage's version {old['version']} -> {new['version']}"
    yield from _changes(old["config"], new["config"])
    for part in ("fingerprint", "arguments"):
        yield from _changes({part: old[part]}, {part: new[part]})
    for name in sorted({*old["inputs"], *new["inputs"]}):
        if old["inputs"].get(name) != new["inputs"].get(name):
            yield f"input `{name}` changed"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    for path in dict.fromkeys((*after, *before)):
        was, now = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if was != now:
            yield f"`{path}` {_shown(was)} -> {_shown(now)}"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    items: Iterator[tuple[Any, Any]]
    if isinstance(value, Mapping) and value:
        items = iter(value.items())
    elif isinstance(value, list) and value:
        items = iter(enumerate(value))
    else:
        yield path, value
        return
    for name, item in items:
        yield from _leaves(item, f"{path}.{name}" if path else str(name))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(none)"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…{text[-6:]}"
