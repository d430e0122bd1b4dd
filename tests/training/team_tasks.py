"""A small training task that worker processes can import: a matrix learns to double."""

from __future__ import annotations

import os
import random
import signal
from typing import Any

import torch
from torch import nn

from pixel_core.config import OptimizerConfig
from pixel_core.training.loop import Row, train
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import Workspace

STEPS = 12


def fit(
    team: WorkerGroup, optimizer: OptimizerConfig, work: Workspace, die_at: int = -1
) -> tuple[list[Row], dict[str, Any]]:
    """Train; ``die_at``: the leader is killed outright after that many steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))

    def shard(step: int, index: int) -> Row:
        rng = random.Random(f"{step}/{index}")
        torch.manual_seed(rng.getrandbits(32))
        x = torch.randn(4 + index, 8)
        loss = (model(x) - 2 * x).square().sum()
        loss.backward()
        return {"denominator": float(len(x)), "loss": float(loss.detach())}

    def after(step: int, row: Row) -> Row:
        if team.leads and step + 1 == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    curve = train(
        team,
        model,
        phase="fit",
        steps=STEPS,
        optimizer_config=optimizer,
        shard=shard,
        work=work,
        checkpoint_every=2,
        after_step=after,
    )
    return curve, {name: value.numpy() for name, value in model.state_dict().items()}


def fail(team: WorkerGroup) -> Any:
    if team.rank == team.size - 1:
        raise RuntimeError("a fault in the last worker")
    return team.gather(1)


def ranks(team: WorkerGroup) -> list[Any]:
    return team.gather((team.rank, team.shards))
