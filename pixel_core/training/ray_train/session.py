"""The Ray that a stage's own workers run on: the job's cluster, or one of this machine."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from pixel_core.config import RayTrainConfig
from pixel_core.errors import ConfigError
from pixel_core.workflow.cluster import worker_python

#: Bytes of a local Ray's object store: what passes through it here are messages.
_OBJECT_STORE = 100 * 2**20


@contextmanager
def ray_session(config: RayTrainConfig) -> Iterator[None]:
    """Inside a Ray job (``RAY_ADDRESS``) the job's cluster; else a Ray of this machine, with
    as many CPUs as the workers ask for, which ends with the block."""
    if ray.is_initialized():
        yield
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.WARNING)
    else:
        ray.init(
            "local",
            num_cpus=max(1, math.ceil(config.workers * config.cpus_per_worker)),
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            runtime_env=worker_python.here(),
        )
        there = ray.cluster_resources().get("GPU", 0.0)
        wanted = config.workers * config.gpus_per_worker
        if there < wanted:
            ray.shutdown()
            raise ConfigError(
                f"sft.ray_train asks for {config.workers} workers with "
                f"{config.gpus_per_worker:g} GPUs each, and this machine has {there:g}: "
                "lower them, or run the stage on a cluster with sft.place.on = 'ray'"
            )
    try:
        yield
    finally:
        ray.shutdown()
