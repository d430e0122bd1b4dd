"""The lock holds what pyproject resolves to, no more and no less, and it fits together."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = "pixel-reasoner-pipeline"


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    malformed = [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert not malformed, f"not exact public pins: {malformed}"
    names = [canonicalize_name(line.partition("==")[0]) for line in pins]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return dict(zip(names, (line.partition("==")[2] for line in pins), strict=True))


def resolved() -> dict[str, str]:
    """Public versions of all that the project and its dev extra lead to, as installed."""
    found = {canonicalize_name(d.metadata["Name"]): d for d in distributions()}
    versions: dict[str, str] = {}
    waiting = [(PROJECT, frozenset({"dev"}))]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        if name != PROJECT:
            versions[name] = Version(found[name].version).public
        for needed in _requirements(found[name], extras):
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return versions


def _requirements(
    distribution: Distribution, extras: frozenset[str]
) -> list[tuple[str, frozenset[str]]]:
    return [
        (canonicalize_name(requirement.name), frozenset(requirement.extras))
        for requirement in map(Requirement, distribution.requires or [])
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux",
    reason="the lock was resolved on Linux with Python 3.11; markers differ elsewhere",
)
def test_the_lock_is_what_the_project_resolves_to() -> None:
    expected = resolved()
    if any(name.startswith("nvidia-") for name in expected):
        pytest.skip("a CUDA build of torch brings packages of its own")
    assert locked() == expected


#: Imported in the environments of the GPU plane alone, which have locks of their own.
GPU_PLANE = {"deepspeed", "openrlhf", "vllm"}


def test_what_is_imported_is_declared() -> None:
    """Not only brought along by another package, which may stop to."""
    ours = {"flows", "tasks", "pixel_core", "profiles"}
    imported = set()
    for package in ("flows", "tasks", "pixel_core"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add(str(node.module).partition(".")[0])
    outside = imported - ours - GPU_PLANE - set(sys.stdlib_module_names)
    providers = packages_distributions()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in settings["project"]["dependencies"]
    }
    undeclared = {
        name
        for name in outside
        if not declared & {canonicalize_name(found) for found in providers.get(name, [name])}
    }
    assert not undeclared


def test_what_is_installed_fits_together() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout
