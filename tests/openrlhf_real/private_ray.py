"""A Ray of this test alone, with two logical GPUs; ended by its own handle."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_ray(environment: Mapping[str, str]) -> Iterator[str]:
    """Its address; all its processes have ``environment`` added."""
    from ray.cluster_utils import Cluster

    before, own = dict(os.environ), tempfile.mkdtemp(prefix="ray-")
    os.environ.update(environment)
    # Ray's helper writes the cluster's address below, as ``ray start`` does, but does not make
    # the folder. Of several Rays on a machine, a job would otherwise be sent to any.
    os.environ["RAY_TMPDIR"] = own
    folder = Path(own, "ray")
    folder.mkdir()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 4,
            "num_gpus": 2,
            "include_dashboard": False,
            "object_store_memory": 200 * 2**20,
            "temp_dir": str(folder),
        },
    )
    try:
        yield cluster.address
    finally:
        cluster.shutdown()
        shutil.rmtree(own, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)
