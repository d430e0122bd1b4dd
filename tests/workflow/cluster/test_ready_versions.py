"""Which versions a node must have, and how a difference is told."""

from __future__ import annotations

import platform
from importlib.metadata import version

from pixel_core.config import ClusterConfig
from pixel_core.workflow.cluster.versions import differences, gpu_plane_pins, wanted_versions


def test_the_same_environment_is_wanted_unless_the_gpu_plane_is_named():
    same = wanted_versions(ClusterConfig())
    assert same["ray"] == version("ray")
    assert same["torch"] == version("torch").split("+")[0]
    assert platform.python_version().startswith(f"{same['python']}.")
    assert wanted_versions(ClusterConfig(versions="gpu_plane")) == gpu_plane_pins()


def test_the_gpu_plane_has_this_environments_ray():
    """Jobs are submitted by the one to the other."""
    assert gpu_plane_pins()["ray"] == version("ray")


def test_a_difference_names_both_versions_and_a_missing_package():
    wanted = {"torch": "2.13.0", "vllm": "0.29.0", "ray": "2.55.0"}
    there = {"torch": "2.13.0+cu130", "ray": "2.56.0", "vllm": ""}
    assert differences(wanted, there) == (
        "vllm is missing (wanted 0.29.0)",
        "ray is 2.56.0 (wanted 2.55.0)",
    )


def test_a_head_that_computes_nothing_needs_only_ray_and_python():
    wanted = {"python": "3.11", "torch": "2.13.0", "ray": "2.55.0"}
    there = {"python": "3.12", "ray": "2.55.0"}
    assert differences(wanted, there, works=False) == ("python is 3.12 (wanted 3.11)",)
