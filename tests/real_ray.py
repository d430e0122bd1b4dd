"""A real Ray cluster on this machine: a head without work of its own, and two nodes.

Every process of it is ended by its own handle; ``ray stop`` would end all Rays of the machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_storage import free_port

#: Bytes of each node's object store; Ray takes a third of the memory otherwise.
OBJECT_STORE = 100 * 2**20


@dataclass(frozen=True)
class RealRay:
    """``address``: of the Jobs API. ``cluster``: Ray's own handle, to add or remove nodes."""

    address: str
    cluster: Any


@contextmanager
def real_ray(nodes: int = 2, environment: Mapping[str, str] | None = None) -> Iterator[RealRay]:
    """A head and ``nodes`` nodes of two CPUs each, all with ``environment`` added.

    Their ``python`` is this one, as in an image whose environment is active.
    """
    from ray.cluster_utils import Cluster

    before, own = dict(os.environ), tempfile.mkdtemp(prefix="ray-")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{before['PATH']}"
    # By default Ray's workers are nice to all others: beside another test they would starve.
    os.environ.update({"RAY_worker_niceness": "0", **(environment or {})})
    # Ray's helper writes the cluster's address below, as ``ray start`` does, but does not make
    # the folder. Of several Rays on a machine, a job would otherwise be sent to any.
    os.environ["RAY_TMPDIR"] = own
    folder = Path(own, "ray")
    folder.mkdir()
    cluster = Cluster()
    try:
        port = free_port()
        cluster.add_node(
            num_cpus=2,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=port,
            # Two Rays on one machine would share the default port of the job agents.
            dashboard_agent_listen_port=free_port(),
            object_store_memory=OBJECT_STORE,
            temp_dir=str(folder),
        )
        for _ in range(nodes):
            cluster.add_node(
                num_cpus=2,
                dashboard_agent_listen_port=free_port(),
                object_store_memory=OBJECT_STORE,
            )
        yield RealRay(f"http://127.0.0.1:{port}", cluster)
    finally:
        cluster.shutdown()
        shutil.rmtree(own, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RealRay]:
    """One cluster a file, ended with it: its dashboard takes time from all other tests. It
    knows no secrets and no S3."""
    with real_ray() as cluster:
        yield cluster
