"""The stage ``base_model``: the model every other one starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixel_core.config import BaseModelConfig, DialogueConfig
from pixel_core.models.loading import save_model
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.model import build_tiny
from pixel_core.tiny.tokenizer import build_tokenizer
from pixel_core.training.curve import write_curve
from pixel_core.training.loop import Row, train
from pixel_core.training.tiny_pretraining import PerceptionShard
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import Workspace


def pretrain(
    team: WorkerGroup,
    config: BaseModelConfig,
    dialogue: DialogueConfig,
    work: Workspace,
    out: Path,
) -> dict[str, Any]:
    """Build the tiny model and run the phases, each with a fresh optimizer."""
    tokenizer = build_tokenizer(dialogue)
    model = build_tiny(config.tiny, tokenizer, config.seed)
    prompts = Renderer(dialogue, Vocabulary.of(tokenizer))
    total = sum(phase.steps for phase in config.phases)
    curve: list[Row] = []
    for number, phase in enumerate(config.phases):
        name = f"phase-{number}"
        rows = train(
            team,
            model,
            phase=name,
            steps=phase.steps,
            optimizer_config=phase.optimizer,
            shard=PerceptionShard(model, prompts, config, phase, f"{config.seed}/{name}"),
            work=work,
            checkpoint_every=config.checkpoint_every,
            watched=("pointing_accuracy", "reading_accuracy", "answering_accuracy"),
            done_before=len(curve),
            steps_in_all=total,
        )
        curve += [{"phase": float(number), **row} for row in rows]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if team.leads:
        save_model(model, tokenizer, out)
        write_curve(out, curve)
    return {
        "parameters": parameters,
        "steps": total,
        "final": curve[-1],
    }
