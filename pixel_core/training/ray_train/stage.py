"""The stage ``sft`` on workers of a Ray cluster, by Ray Train: the lessons, their order, the
masks and the loss of ``training/sft.py``; losses agree to rounding.

The process that runs the stage trains nothing. Workers write checkpoints to the workspace in
the store; when one is lost, Ray Train starts the group anew and it goes on from the newest
checkpoint. The last checkpoint is the result, of which this process makes the artifact: the
workers' machines need to share nothing with it but the store.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import ray

from pixel_core.config import PipelineConfig, RayTrainConfig
from pixel_core.errors import ConfigError, PixelError, StageFailed
from pixel_core.training import stages
from pixel_core.training.curve import write_curve
from pixel_core.training.ray_train import checkpoint
from pixel_core.workflow.cluster import worker_python
from pixel_core.workflow.stage import Progress, StageContext

# The Ray that a stage's own workers run on: the job's cluster, or one of this machine.


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


# What SFT on Ray Train cannot do, told before anything runs.


def check(config: PipelineConfig) -> None:
    """Raise ``ConfigError`` for settings of ``sft`` that its backend does not carry out."""
    section = config.sft
    if section.backend != "ray_train" or not section.steps:
        return
    sharding = section.ray_train.sharding
    if section.select.rapr:
        raise ConfigError(
            f"sft.select.rapr {section.select.rapr:g} needs answers sampled during training, "
            "which sft.backend 'ray_train' does not do: set it to 0, or the backend to 'team'"
        )
    if section.ray_train.workers > section.batch:
        raise ConfigError(
            f"sft.ray_train.workers {section.ray_train.workers} is above sft.batch "
            f"{section.batch}: a worker would have nothing to train on; use fewer of them"
        )
    if section.optimizer.kind == "muon" and sharding != "ddp":
        raise ConfigError(
            f"sft.optimizer.kind 'muon' needs whole matrices, and sft.ray_train.sharding "
            f"{sharding!r} divides them: use 'ddp', or the optimizer 'adamw'"
        )
    if sharding.startswith("zero") and section.place.on == "local" and not _has_deepspeed():
        raise ConfigError(
            f"sft.ray_train.sharding {sharding!r} needs DeepSpeed, which is not installed "
            "here: use 'fsdp', or run the stage on a cluster with sft.place.on = 'ray'"
        )


def _has_deepspeed() -> bool:
    return find_spec("deepspeed") is not None


#: Seconds from one look at the workers' messages to the next.
_LOOK_S = 0.2
#: How long workers may take to end and save their step when the run is interrupted.
_GRACE_S = 60.0


def run(context: StageContext) -> dict[str, Any]:
    """Write ``model/`` and ``curve.jsonl``; without steps, the base model as it is.

    Raises ``ConfigError`` for what the backend cannot do, and ``StageFailed`` when workers
    were lost more often than ``ray_train.failures`` allows.
    """
    config = context.config.sft
    check(context.config)
    if not config.steps:
        return stages.sft(context)
    head = checkpoint.latest(context.work, [checkpoint.WEIGHTS])
    if head is None or head.step < config.steps:
        _train(context)
        head = checkpoint.latest(context.work, [checkpoint.WEIGHTS])
    if head is None or head.step < config.steps:
        raise StageFailed(
            f"training ended after step {head.step if head else 0} of {config.steps} without "
            "an error; run again to go on from there"
        )
    # Transformers is imported here: the lines above must answer quickly.
    from pixel_core.training.ray_train.loading import write_trained

    write_trained(
        context.inputs["base_model"], config.ray_train, context.work, head, context.out
    )
    write_curve(context.out, head.curve)
    return {
        "steps": head.step,
        "trajectories": head.trajectories,
        "epochs": head.step * config.batch / head.trajectories,
        "loss": head.curve[-1]["loss"],
    }


def _train(context: StageContext) -> None:
    """Have a group of workers train to the end. ``KeyboardInterrupt`` lets them save.

    Returns, and raises, when the group has ended: a thread that still waits inside Ray when
    Ray is shut down crashes this process a few minutes later.
    """

    section = context.config.sft.ray_train
    with ray_session(section), tempfile.TemporaryDirectory(prefix="pixel-ray-train-") as notes:
        import ray

        from pixel_core.training.ray_train.mailbox import open_mailbox

        mailbox = open_mailbox()
        ended = _in_thread(lambda: _fit(context, mailbox, notes))
        try:
            _follow(ended, mailbox, context.progress)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                context.progress.note("stopping: the last step is being saved")
                ray.get(mailbox.stop.remote())
            elif not ended.done():
                context.progress.note("stopping: the workers are ended")
            until = time.monotonic() + _GRACE_S
            while not ended.done() and time.monotonic() < until:
                time.sleep(_LOOK_S)
            if not ended.done():
                ray.shutdown()  # what was started from here ends with the connection
            raise


def _fit(context: StageContext, mailbox: Any, notes: str) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    config = context.config.sft
    section = config.ray_train
    trainer = TorchTrainer(
        ray_worker,
        train_loop_config={
            "config": config,
            "dialogue": context.config.dialogue,
            "inputs": {name: context.located(name) for name in context.inputs},
            "work": context.work,
            "mailbox": mailbox,
        },
        scaling_config=ScalingConfig(
            num_workers=section.workers,
            use_gpu=section.gpus_per_worker > 0,
            resources_per_worker={
                "CPU": section.cpus_per_worker,
                **({"GPU": section.gpus_per_worker} if section.gpus_per_worker else {}),
            },
        ),
        run_config=RunConfig(
            name="sft",
            storage_path=notes,  # Ray's own notes; checkpoints go to the workspace
            failure_config=FailureConfig(max_failures=section.failures),
        ),
    )
    trainer.fit()


def ray_worker(settings: dict[str, Any]) -> None:
    """What Ray Train calls in each worker, with ``_fit``'s ``train_loop_config``."""
    import torch
    import torch.distributed as dist
    from ray.train import get_context
    from ray.train.torch import get_device

    from pixel_core.training.ray_train.mailbox import MailboxLine
    from pixel_core.training.ray_train.worker import WorkerJob, train

    line = MailboxLine(settings["mailbox"])
    if line.stopping():
        return  # the group was started anew after an error that another try does not mend
    config = settings["config"]
    device = get_device()
    if device.type == "cpu":
        torch.set_num_threads(max(1, int(config.ray_train.cpus_per_worker)))
    try:
        inputs: dict[str, Path] = {}
        # The first worker of a machine fetches, the others find what it fetched.
        for first in (True, False):
            if first == (get_context().get_local_rank() == 0):
                inputs = {name: one.local() for name, one in settings["inputs"].items()}
            dist.barrier()
        train(WorkerJob(config, settings["dialogue"], inputs, settings["work"]), line, device)
    except PixelError as error:
        line.refuse(error)
        raise


def _follow(ended: Future[None], mailbox: Any, progress: Progress) -> None:
    """Pass on what the workers say until the training is over; raises what ended it."""
    import ray
    from ray.train import TrainingFailedError

    over = False
    while not over:
        over = ended.done()  # asked first: what was said before the end is heard
        for kind, content in ray.get(mailbox.take.remote()):
            if kind == "update":
                done, total, metrics = content
                progress.update(done, total, **metrics)
            elif kind == "note":
                progress.note(content)
            else:
                raise content
        if not over:
            time.sleep(_LOOK_S)
    try:
        ended.result()
    except TrainingFailedError as error:
        raise StageFailed(
            f"workers failed more often than sft.ray_train.failures allows (run again to go on "
            f"from the last checkpoint):\n{error}"
        ) from error


def _in_thread(function: Callable[[], None]) -> Future[None]:
    """In a thread of its own, so that Ray Train leaves this one its interrupts."""
    future: Future[None] = Future()

    def call() -> None:
        try:
            function()
            future.set_result(None)
        except Exception as error:  # noqa: BLE001 - the border of a thread
            future.set_exception(error)

    Thread(target=call, daemon=True, name="ray-train").start()
    return future
