"""The stage ``sft`` on workers of a Ray cluster, by Ray Train: the lessons, their order, the
masks and the loss of ``training/sft.py``; losses agree to rounding.

The process that runs the stage trains nothing. Workers write checkpoints to the workspace in
the store; when one is lost, Ray Train starts the group anew and it goes on from the newest
checkpoint. The last checkpoint is the result, of which this process makes the artifact: the
workers' machines need to share nothing with it but the store.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

from pixel_core.errors import PixelError, StageFailed
from pixel_core.training import stages
from pixel_core.training.curve import write_curve
from pixel_core.training.ray_train import checkpoint
from pixel_core.training.ray_train.ready import check
from pixel_core.workflow.stage import Progress, StageContext

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
    from pixel_core.training.ray_train.session import ray_session

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
