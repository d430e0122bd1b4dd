"""The Ray that this process belongs to, or one of its own for as long as it needs one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pixel_core.workflow.cluster import worker_python

#: Bytes that a Ray of our own sets aside for objects in flight: what chunks answer is text.
_OBJECT_STORE = 128 * 2**20


@contextmanager
def ray_here(cpus: int) -> Iterator[None]:
    """Connected to the cluster whose job this process is; elsewhere to a small Ray with
    ``cpus`` CPUs and this machine's GPUs, which ends with the block."""
    import ray

    if ray.is_initialized():  # by whoever started us; theirs to end
        yield
        return
    # Inside a job Ray sets the address. One that names a web page is for its commands.
    address = os.environ.get("RAY_ADDRESS", "")
    if address and not address.startswith("http"):
        ray.init(address=address, logging_level=logging.WARNING)
    else:
        # "local", so that nobody else's Ray on this machine is taken for ours. What actors
        # print stays in Ray's own logs: the terminal belongs to the run.
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=worker_python.here(),
        )
    try:
        yield
    finally:
        ray.shutdown()
