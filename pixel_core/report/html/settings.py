"""The settings that shaped a result, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pixel_core.config.pipeline import PipelineConfig
from pixel_core.workflow.store.identity import canonical


def settings_lines(config: PipelineConfig) -> str:
    """``section.field = value``, one a line, as ``--set`` takes them.

    Only settings that shape the result; where it ran (paths, addresses, workers) is left out.
    """
    lines: list[str] = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        # The study compares runs and benchmarks test their models: neither shapes a run.
        if isinstance(value, BaseModel) and name not in ("study", "benchmarks"):
            _flatten(canonical(value, name), name, lines)
    return "\n".join(lines)


def _flatten(value: Any, where: str, lines: list[str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(item, f"{where}.{key}", lines)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for place, item in enumerate(value):
            _flatten(item, f"{where}.{place}", lines)
    else:
        lines.append(f"{where} = {value!r}")
