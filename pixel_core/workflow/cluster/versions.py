"""Which versions the cluster's nodes must have, and in what a node differs."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from pixel_core.config import ClusterConfig

#: Both planes compute with these: another version gives other bytes, or none.
SHARED = ("ray", "torch", "transformers", "numpy", "pillow")
#: What a node without CPUs and GPUs needs: it hands work on and does none.
HEAD_ONLY = ("ray", "python")


def gpu_plane_pins() -> dict[str, str]:
    """Package to version, as ``gpu_plane.toml`` says."""
    text = files(__package__).joinpath("gpu_plane.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["packages"]


def wanted_versions(cluster: ClusterConfig) -> dict[str, str]:
    """Package to version; ``python`` is major.minor. The GPU plane leaves Python open."""
    if cluster.versions == "gpu_plane":
        return gpu_plane_pins()
    return {
        "python": python_minor(),
        **{name: public(found) for name in SHARED if (found := installed(name))},
    }


def differences(
    wanted: Mapping[str, str], found: Mapping[str, str], *, works: bool = True
) -> tuple[str, ...]:
    """Each difference in words; ``found`` maps to "" what a node lacks.

    ``works``: the node has CPUs or GPUs to compute with; of another one only Ray and Python
    matter.
    """
    told = []
    for name, version_wanted in wanted.items():
        if not works and name not in HEAD_ONLY:
            continue
        there = public(found.get(name, ""))
        if not there:
            told.append(f"{name} is missing (wanted {version_wanted})")
        elif there != version_wanted:
            told.append(f"{name} is {there} (wanted {version_wanted})")
    return tuple(told)


def public(version_text: str) -> str:
    """Without the local suffix: the CPU and the CUDA build of one version are alike here."""
    return version_text.partition("+")[0]


def installed(package: str) -> str:
    """A package's version from its metadata, not imported; "" when it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def python_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])
