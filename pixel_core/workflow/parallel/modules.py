"""Which modules worker processes begin with, imported once in the fork server."""

from __future__ import annotations

from collections.abc import Iterable

_modules = ["pixel_core.models.preload"]


def preload(modules: Iterable[str]) -> None:
    """Let all workers of this process begin with these, too; ask before the first starts.

    A run of an hour is then all of one code, whatever is saved to the source files
    meanwhile, and a worker starts sooner.
    """
    _modules.extend(name for name in modules if name not in _modules)


def preloaded() -> list[str]:
    """All that were asked for."""
    return list(_modules)
