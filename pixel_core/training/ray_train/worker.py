"""What one worker of the group does: load, go on from the newest checkpoint, train."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from pixel_core.config import DialogueConfig, SftConfig
from pixel_core.models.batch import collate
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.batching import Order
from pixel_core.training.loop import Row
from pixel_core.training.optimizer import freeze_vision
from pixel_core.training.ray_train import checkpoint
from pixel_core.training.ray_train.forward import Scorer, inputs_of
from pixel_core.training.ray_train.loading import load_for_training
from pixel_core.training.ray_train.passes import passes_of, silent, trained_tokens
from pixel_core.training.ray_train.sharding import FullySharded, Replicated, Sharding
from pixel_core.training.sft import SftDataset
from pixel_core.workflow.stage import Workspace

PHASE = "sft"
#: What the person at the terminal sees.
_WATCHED: tuple[str, ...] = ("loss", "token_accuracy")


class DriverChannel(Protocol):
    """To the process that started the training; only the first worker uses it."""

    def update(self, done: int, total: int, metrics: Row) -> None: ...

    def note(self, text: str) -> None: ...

    def stopping(self) -> bool:
        """Whether the run has been asked to end after this step."""


@dataclass(frozen=True)
class WorkerJob:
    """What all workers are told; picklable."""

    config: SftConfig
    dialogue: DialogueConfig
    inputs: Mapping[str, Path]
    work: Workspace


def train(job: WorkerJob, line: DriverChannel, device: torch.device) -> None:
    """Train to the end, or until asked to stop; the result is the last checkpoint.

    Called by every process of an initialised process group.
    """
    config = job.config
    rank, size = dist.get_rank(), dist.get_world_size()
    leads = rank == 0
    model, vocabulary = load_for_training(job.inputs["base_model"], config.ray_train)
    if config.freeze_vision:
        freeze_vision(model)
    dataset = SftDataset(dict(job.inputs), Renderer(job.dialogue, vocabulary))
    order = Order(len(dataset), config.batch, f"sft/{config.seed}")
    sharding = sharding_of(Scorer(model, vocabulary.banned), config, device)
    learner = _Learner(sharding, config, vocabulary, device)
    first, curve = _resume(job.work, sharding, leads)
    if leads and first:
        line.note(f"{PHASE}: going on from step {first} of {config.steps}")
    for step in range(first, config.steps):
        taken = order.at(step)
        share = [dataset.transcript(item) for item in taken[rank::size]]
        # A worker without a share still has to pass through the model with the others.
        idle = silent(share[0] if share else dataset.transcript(taken[0]))
        row, stop = learner.step(step, share, idle, stop=leads and line.stopping())
        curve.append({"step": float(step + 1), **row})
        if leads:
            shown = {name: row[name] for name in _WATCHED if name in row}
            line.update(step + 1, config.steps, shown)
        if step + 1 == config.steps or stop or (step + 1) % config.checkpoint_every == 0:
            work = job.work if leads else None
            weights, optimizer = sharding.weights(), sharding.optimizer_state()
            checkpoint.save(work, step + 1, weights, optimizer, curve, len(dataset))
            dist.barrier()  # nobody ends before it is written
        if stop:
            return


def sharding_of(scorer: Scorer, config: SftConfig, device: torch.device) -> Sharding:
    """The one the profile names."""
    kind = config.ray_train.sharding
    if kind in ("zero2", "zero3"):
        # DeepSpeed is heavy, and only there on the GPU plane.
        from pixel_core.training.ray_train.zero import Zero

        return Zero(scorer, config, device)
    named: dict[str, Callable[[Scorer, SftConfig, torch.device], Sharding]] = {
        "ddp": Replicated,
        "fsdp": FullySharded,
    }
    return named[kind](scorer, config, device)


def _resume(work: Workspace, sharding: Sharding, leads: bool) -> tuple[int, list[Row]]:
    """The step to go on from, and the curve so far; 0 and nothing at the start."""
    held: list[Any] = [checkpoint.latest(work) if leads else None]
    dist.broadcast_object_list(held, 0)
    head = held[0]
    if head is None:
        return 0, []
    for kind, load in (
        ("weights", sharding.load_weights),
        ("optimizer", sharding.load_optimizer_state),
    ):
        parts = checkpoint.read(work, head, kind) if leads else None
        for part in checkpoint.broadcast(parts):
            load(part)
    return head.step, list(head.curve)


@dataclass(frozen=True)
class _Learner:
    sharding: Sharding
    config: SftConfig
    vocabulary: Vocabulary
    device: torch.device

    def step(
        self, step: int, share: list[Transcript], idle: Transcript, *, stop: bool
    ) -> tuple[Row, bool]:
        """All passes and at most one update; the curve's row, and whether any worker was
        told to ``stop``."""
        passes = passes_of(share, self.config.ray_train.tokens_per_pass)
        mine = torch.tensor([trained_tokens(share), len(passes), stop], dtype=torch.float64)
        tokens, counts, stops = _gathered(mine.to(self.device)).T.tolist()
        denominator, longest = sum(tokens), int(max(counts))
        scale = dist.get_world_size() / max(denominator, 1.0)
        passes += [[idle]] * (longest - len(passes))
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        for number, transcripts in enumerate(passes, 1):
            batch = collate(transcripts, self.vocabulary.pad, self.vocabulary.image)
            sums += self.sharding.learn(inputs_of(batch), scale, last=number == longest)
        dist.all_reduce(sums)
        loss, hits = sums.tolist()
        row: Row = {}
        if denominator:
            row["loss"] = loss / denominator
            row["token_accuracy"] = hits / denominator
            # As the team's curve has it: by shard, however many workers there are.
            row["tokens"] = denominator / min(self.config.shards, self.config.batch)
        row["grad_norm"] = self.sharding.apply(step, sound=math.isfinite(loss))
        return row, any(stops)


def _gathered(mine: Tensor) -> Tensor:
    """Every worker's row, by rank."""
    rows = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(rows, mine)
    return torch.stack(rows)
