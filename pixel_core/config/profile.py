"""Profiles: TOML files, by name or by path, laid over the defaults of ``config/``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.nesting import TooDeep, toml_loads


def load_profile(profile: str, overrides: Iterable[str] = ()) -> PipelineConfig:
    """Read a profile by name (one of ours) or by file, lay ``section.field=value`` over it.

    A profile may say ``extends = "name"``. Values of overrides are TOML; a bare word is a
    string. Raises ``ConfigError`` naming the file or the override and what is allowed.
    """
    values = _read_profile(profile)
    for override in overrides:
        _apply(values, override)
    try:
        return PipelineConfig.model_validate(values)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc']))}{_shown(item['input'])}: {item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError(
            f"profile {profile!r} has values that can't be used:\n" + "\n".join(lines)
        ) from error


def _shown(value: Any) -> str:
    """A whole section is not repeated: it may hold what must not be shown."""
    return "" if isinstance(value, dict) else f" = {value!r}"


def profile_names() -> list[str]:
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files("profiles").iterdir()
        if entry.name.endswith(".toml")
    )


def _read_profile(profile: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    if profile in seen:
        raise ConfigError(
            f"profile {profile!r} extends itself: {' -> '.join((*seen, profile))}"
        )
    if profile.endswith(".toml") or "/" in profile:
        path = Path(profile)
        if not path.is_file():
            raise ConfigError(f"profile file {profile!r} does not exist")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"profile file {profile!r} is not UTF-8 text ({error}); save it as UTF-8"
            ) from error
    elif profile in profile_names():
        text = files("profiles").joinpath(f"{profile}.toml").read_text(encoding="utf-8")
    else:
        raise ConfigError(
            f"there is no profile {profile!r}; known: {', '.join(profile_names())}, "
            "or the path of a .toml file"
        )
    try:
        values = toml_loads(text)
    except ValueError as error:
        raise ConfigError(f"profile {profile!r} is not valid TOML: {error}") from error
    parent = values.pop("extends", None)
    values.setdefault("name", Path(profile).stem)
    if parent is None:
        return values
    return _merge(_read_profile(str(parent), (*seen, profile)), values)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _apply(values: dict[str, Any], override: str) -> None:
    path, sign, text = override.partition("=")
    keys = path.strip().split(".")
    if not sign or not all(keys):
        raise ConfigError(f"override {override!r} is not of the form section.field=value")
    try:
        value = toml_loads(f"value = {text}")["value"]
    except TooDeep as error:
        raise ConfigError(f"override {override[:80]!r}: {error}") from error
    except tomllib.TOMLDecodeError:
        value = text.strip()
    place = values
    for key in keys[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise ConfigError(f"override {override!r}: {key!r} is a value, not a section")
    place[keys[-1]] = value
