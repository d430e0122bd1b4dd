"""What makes an artifact the one it is: everything that shapes its bytes, nothing else.

The key is the SHA-256 of the canonical JSON of these parts. Two configurations that differ
only in ``Placement`` fields, or in settings of a source that is not in use, share a key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from pixel_core.config import PipelineConfig, Placement, Section
from pixel_core.errors import ConfigError
from pixel_core.workflow.stage import Stage, section_of
from pixel_core.workflow.store.named_function import named_function


class IdentityError(ConfigError):
    """A value that would join a key has no canonical form."""


def identity(stage: Stage, config: PipelineConfig, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The key's parts, as JSON values; ``inputs`` maps each needed stage to its digest.

    Raises ``IdentityError`` for a value that cannot be canonicalised.
    """
    if set(inputs) != set(stage.needs):
        raise ValueError(f"{stage.name} needs {sorted(stage.needs)}, got {sorted(inputs)}")
    fingerprint = (
        named_function(stage.fingerprint)(config, **stage.arguments)
        if stage.fingerprint
        else {}
    )
    return {
        "stage": stage.name,
        "version": stage.version,
        "config": {name: _used(stage, config, name) for name in stage.sections},
        "fingerprint": canonical(fingerprint, f"{stage.name}.fingerprint"),
        "arguments": canonical(stage.arguments, f"{stage.name}.arguments"),
        "inputs": dict(sorted(inputs.items())),
    }


def key_of(parts: Mapping[str, Any]) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """One spelling for one value: sorted keys, no spaces, ASCII."""
    return json.dumps(
        canonical(value, "value"), sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")


def canonical(value: Any, where: str) -> Any:
    """The value as plain JSON; ``where`` is the dotted place that an error names."""
    if isinstance(value, Enum):
        return canonical(value.value, where)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise IdentityError(f"{where} = {value!r} is not a finite number; give it one")
        return float(value) or 0.0  # -0.0 and 0.0 are one number
    if isinstance(value, BaseModel):
        return _section(value, where)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise IdentityError(f"{where} has the key {key!r}; keys must be strings")
        return {key: canonical(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item, f"{where}.{place}") for place, item in enumerate(value)]
    if isinstance(value, PurePath):
        raise IdentityError(
            f"{where} = {str(value)!r} is a path: a place says nothing about content; mark the "
            "field Placement and put a digest of the content in the stage's fingerprint"
        )
    raise IdentityError(
        f"{where} = {value!r} is a {type(value).__name__}, which has no canonical form; use "
        "numbers, strings, lists and tables"
    )


def _used(stage: Stage, config: PipelineConfig, name: str) -> Any:
    """The section as JSON, less the fields that shape nothing in this stage."""
    found = canonical(section_of(config, name), name)
    if not stage.unused:
        return found
    return {
        field: value for field, value in found.items() if f"{name}.{field}" not in stage.unused
    }


def _section(section: BaseModel, where: str) -> dict[str, Any]:
    idle = section.idle_fields() if isinstance(section, Section) else frozenset()
    return {
        name: canonical(getattr(section, name), f"{where}.{name}")
        for name, field in type(section).model_fields.items()
        if name not in idle and not any(_is_placement(mark) for mark in field.metadata)
    }


def _is_placement(mark: Any) -> bool:
    return mark is Placement or isinstance(mark, Placement)
