"""The settings that change benchmark scores, as one block: before the answers are made, and on
the page beside the scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.workflow.benchmark_stages import rows_of
from pixel_core.workflow.store.identity import canonical


def settings_of(config: PipelineConfig) -> dict[str, Any]:
    """All that shapes the scores of the profile's benchmarks, and nothing else.

    Where a run happens (paths, addresses, workers) is left out, as in the artifacts' keys.
    ``ConfigError`` where the evaluation's dialogue contradicts itself.
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
        # What is None there is the trained dialogue's, and stands below.
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
