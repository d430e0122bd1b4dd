"""Ray's workers start in a checkout whose path a shell would take apart."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixel_core.config import ClusterConfig
from pixel_core.workflow.cluster import worker_python
from pixel_core.workflow.cluster.submission import job_command, runtime_env

PLAIN = ["/usr/bin/python3", "/opt/env-3.11/bin/python", "/home/müller/写真/.venv/bin/python"]
ODD = [
    "/home/me/my models/.venv/bin/python",
    "/home/me/models [new]/bin/python",
    "/home/me/it's/bin/python",
    "/home/me/a$b/bin/python",
    "/home/me/(1)/bin/python",
    "/home/me/a&b;c/bin/python",
]


@pytest.mark.parametrize("path", PLAIN)
def test_ordinary_paths_change_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", path)
    assert worker_python.here() == worker_python.on_nodes() == {}
    assert runtime_env(ClusterConfig(code="installed"), None).keys() == {"env_vars"}  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ODD)
def test_others_are_quoted_here_and_looked_up_on_nodes(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", path)
    assert shlex.split(worker_python.here()["py_executable"]) == [path]
    env: dict[str, Any] = runtime_env(ClusterConfig(code="installed"), None)  # type: ignore[arg-type]
    assert env["py_executable"] == "python"


def test_as_ray_puts_it_into_bash_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "my models [new] ü (1)"
    odd.mkdir()
    (odd / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(odd / "python"))
    line = f"exec {worker_python.here()['py_executable']} -c {shlex.quote('print(6 * 7)')}"
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "42"


def test_a_store_in_such_a_path_reaches_the_job_whole() -> None:
    store = "/data/my models [new] ü/it's"
    command = job_command(store, "sft", "k" * 64, "1", 1)
    assert store in shlex.split(command)
