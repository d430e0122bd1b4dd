"""Optimizers and learning-rate schedules, by configuration."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from pixel_core.config import OptimizerConfig
from pixel_core.training.muon import Muon
from pixel_core.workflow.parallel.team import WorkerGroup


def freeze_vision(model: Any) -> None:
    """Keep the vision tower as it is (the paper's SFT does)."""
    model.model.visual.requires_grad_(False)


class Optimizer:
    """AdamW alone, or Muon for the inner matrices beside AdamW for the rest.

    Muon orthogonalises a matrix's momentum; embeddings, norms and biases are no such
    matrices and stay with AdamW. From nothing, a tiny model learns far faster so. The workers
    of ``team`` share Muon's work; all must then update together.
    """

    def __init__(
        self,
        model: nn.Module,
        config: OptimizerConfig,
        steps: int,
        team: WorkerGroup | None = None,
    ) -> None:
        self.config = config
        self.steps = steps
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.parameters = [parameter for _, parameter in named]
        matrices = [p for name, p in named if config.kind == "muon" and _is_inner(name, p)]
        chosen = {id(parameter) for parameter in matrices}
        rest = [p for p in self.parameters if id(p) not in chosen]
        decay = config.weight_decay
        self.parts: list[tuple[torch.optim.Optimizer, float]] = [
            (
                torch.optim.AdamW(
                    rest,
                    lr=config.learning_rate,
                    betas=config.betas,
                    weight_decay=decay,
                    # A third of the time, on whole tensors; a shard's may be of another kind.
                    fused=team is not None,
                ),
                config.learning_rate,
            )
        ]
        if matrices:
            rate = config.muon_learning_rate
            muon = Muon(
                matrices,
                lr=rate,
                weight_decay=decay,
                rank=team.rank if team else 0,
                size=team.size if team else 1,
                total=team.sum if team else lambda values: values,
            )
            self.parts.append((muon, rate))

    def clip(self) -> float:
        """Clip the gradient; returns its norm before that. One that is not finite is no
        gradient any more: it must not be given to ``update``."""
        return float(nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm))

    def update(self, step: int) -> None:
        """Change the weights, with the learning rate of ``step`` (from 0)."""
        factor = rate_factor(self.config, step, self.steps)
        for part, rate in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * factor
            part.step()

    def clear(self) -> None:
        """Drop the gradient."""
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part, _ in self.parts]

    def load(self, state: list[dict[str, Any]]) -> None:
        for (part, _), saved in zip(self.parts, state, strict=True):
            part.load_state_dict(saved)


def _is_inner(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim == 2 and "embed_tokens" not in name and "lm_head" not in name


def rate_factor(config: OptimizerConfig, step: int, steps: int) -> float:
    """The share of the learning rate at ``step`` of ``steps``, counted from 0."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    held = config.hold * steps
    gone = max(0.0, min(1.0, (step - held) / max(1.0, steps - held)))
    if config.schedule == "constant":
        left = 1.0
    elif config.schedule == "linear":
        left = 1.0 - gone
    else:
        left = 0.5 * (1.0 + math.cos(math.pi * gone))
    return warm * (config.final + (1.0 - config.final) * left)
