"""The settings behind a benchmark's scores: those common to all rows, and each row's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.evaluation.row_answers import RowAnswers
from pixel_core.workflow.store.identity import canonical
from pixel_core.workflow.table import rows_of

# The settings that change benchmark scores, as one block: shown before answering, and on the
# page beside the scores.


def settings_of(config: PipelineConfig) -> dict[str, Any]:
    """All settings that shape the scores of the profile's benchmarks, and no others.

    Where a run happens (paths, addresses, workers) is left out, as in the artifacts' keys.
    ``ConfigError`` if the evaluation's dialogue is inconsistent.
    """
    section = config.benchmarks
    rows = rows_of(config)
    try:
        dialogue = section.answers.dialogue(config.dialogue, operations=True)
    except ValidationError as error:
        raise ConfigError(
            f"benchmarks.answers does not fit the section dialogue: {error}"
        ) from error
    answers = canonical(section.answers, "benchmarks.answers")
    return {
        "rows": [row.name for row in rows],
        # None there means the trained dialogue's value, shown below.
        "answers": {name: value for name, value in answers.items() if value is not None},
        "dialogue": canonical(dialogue, "dialogue"),
        "endpoints": canonical(section.endpoints, "benchmarks.endpoints"),
        "data": {
            name: canonical(getattr(section, name), f"benchmarks.{name}")
            for name in section.names
        },
        "scoring": canonical(section.scoring, "benchmarks.scoring"),
    }


def block_lines(values: Mapping[str, Any], where: str = "") -> list[str]:
    """``section.part  field value, field value``: one line a table, its plain values first."""
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    lines = []
    if plain:
        told = ", ".join(f"{name} {_told(value)}" for name, value in plain.items())
        lines.append(f"{where or 'all'}: {told}")
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += block_lines(value, f"{where}.{name}" if where else name)
    return lines


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_told, value)) + "]"
    return "as published" if value in (None, "") else str(value)


def settings_of_rows(rows: Sequence[RowAnswers]) -> dict[str, Any]:
    """``answers``: common to all rows; ``rows``: each row's own. Prompts are shown by digest;
    their text is in each answers artifact's ``settings.json``."""
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
    """Entries equal in all tables, recursively."""
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
    """``table`` without the entries in ``common``."""
    rest: dict[str, Any] = {}
    for name, value in table.items():
        shared = common.get(name)
        if isinstance(value, Mapping) and isinstance(shared, Mapping):
            if part := _without(value, shared):
                rest[name] = part
        elif name not in common:
            rest[name] = value
    return rest
