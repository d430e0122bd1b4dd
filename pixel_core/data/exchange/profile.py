"""Writes the profile that uses an imported folder in the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig

FILE = "profile.toml"

_HEAD = """\
# What was imported here, as the only source of questions. To train a model on it, add
# base_model and sft, or say extends = "a profile"; for validation and test questions add
# another source beside "imported".
"""


def write_profile(folder: Path, dialogue: DialogueConfig) -> Path:
    """Write ``profile.toml`` unless it exists: the user may have edited it."""
    path = folder / FILE
    if path.exists():
        return path
    lines = [
        "[ingest]",
        'sources = ["imported"]',
        "",
        "[ingest.imported]",
        f"path = {_value(str(folder.resolve()))}",
    ]
    lines += _table("dialogue", dialogue.model_dump(mode="json"))
    path.write_text(_HEAD + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def _table(name: str, values: dict[str, Any]) -> list[str]:
    """A table of plain values, then the tables in it."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _table(f"{name}.{key}", value)
    return lines


def _value(value: str | bool | int | float) -> str:
    # JSON's strings, numbers and booleans are valid TOML, except for surrogate pairs.
    return json.dumps(value, ensure_ascii=False)
