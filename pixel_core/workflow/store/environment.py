"""What an artifact was made with, for its manifest."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pixel_core
from pixel_core.workflow.store.machine import machine


@lru_cache(maxsize=1)
def environment() -> dict[str, str | int]:
    """Versions read from the installed packages' metadata: torch is not imported for it."""
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "transformers": _version("transformers"),
        "platform": platform.platform(),
        "cpus": os.cpu_count() or 0,
        **machine(),
    }


@lru_cache(maxsize=1)
def code_version() -> dict[str, str]:
    """The package's version and, in a checkout, its commit ("-dirty" when changed).

    Code that a checkout sent to a cluster brings its commit along in ``PIXEL_COMMIT``.
    """
    found = {"package": _version("pixel-reasoner-pipeline")}
    checkout = Path(pixel_core.__file__).parents[1]
    if not (checkout / ".git").exists():
        sent = os.environ.get("PIXEL_COMMIT")
        return {**found, "commit": sent} if sent else found
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return found  # no git here: the package's version has to do
    return {**found, "commit": answer.stdout.strip()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
