"""The prompts of each task, in versions that never change once used.

A version is a folder ``prompts/<task>/<version>/`` of Jinja files. Better wording goes into a
new folder, chosen by the setting ``annotate.openai.prompts``; answers paid for under the old
wording stay on record.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from pixel_core.config import PromptVersions
from pixel_core.data.annotation.requests import RequestTask
from pixel_core.errors import ConfigError

#: One folder per task; in it, one per version.
ROOT = files("pixel_core.data.annotation").joinpath("prompts")


class PromptVersion:
    """One version of one task's prompts."""

    def __init__(self, parts: dict[str, str]) -> None:
        environment = Environment(undefined=StrictUndefined, autoescape=False)
        self._parts = {name: environment.from_string(text) for name, text in parts.items()}

    def write(self, part: str, **values: Any) -> str:
        """The file ``<part>.jinja``, filled in."""
        return self._parts[part].render(**values)


@cache
def prompts_of(task: RequestTask, version: str) -> PromptVersion:
    """The prompts of a version. ``ConfigError`` for one that does not exist."""
    root = ROOT.joinpath(task.value)
    known = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if version not in known:
        raise ConfigError(
            f"annotate.openai.prompts.{task} {version!r} does not exist; known: "
            + ", ".join(known)
        )
    folder = root.joinpath(version)
    return PromptVersion(
        {
            entry.name.removesuffix(".jinja"): entry.read_text(encoding="utf-8")
            for entry in folder.iterdir()
            if entry.name.endswith(".jinja")
        }
    )


def check_versions(versions: PromptVersions) -> None:
    """``ConfigError`` for a version that does not exist."""
    for task in RequestTask:
        prompts_of(task, getattr(versions, task.value))
