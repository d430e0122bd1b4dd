"""The settings behind a benchmark's scores: what all rows share, and each row's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pixel_core.evaluation.row_answers import RowAnswers


def settings_of_rows(rows: Sequence[RowAnswers]) -> dict[str, Any]:
    """``answers``: common to all rows; ``rows``: by row, what is its own. Prompts are shown by
    their digests: the words are in each answers artifact's ``settings.json``."""
    by_row = {row.row.name: _digested(row.settings) for row in rows}
    common = _common(list(by_row.values()))
    own = {name: _without(values, common) for name, values in by_row.items()}
    return {"answers": common, "rows": {name: rest for name, rest in own.items() if rest}}


def _digested(settings: Mapping[str, Any]) -> dict[str, Any]:
    prompts = {
        kind: hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]
        for kind, words in settings["prompt"].items()
    }
    return {**settings, "prompt": prompts}


def _common(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is alike in all tables, and in the tables inside them."""
    first, *others = tables
    found: dict[str, Any] = {}
    for name, value in first.items():
        values = [value, *(other.get(name) for other in others)]
        if all(isinstance(one, Mapping) for one in values):
            if part := _common(values):
                found[name] = part
        elif all(one == value for one in values):
            found[name] = value
    return found


def _without(table: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """What ``common`` does not say already."""
    rest: dict[str, Any] = {}
    for name, value in table.items():
        shared = common.get(name)
        if isinstance(value, Mapping) and isinstance(shared, Mapping):
            if part := _without(value, shared):
                rest[name] = part
        elif name not in common:
            rest[name] = value
    return rest
