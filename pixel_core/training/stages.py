"""The stages that train, as the table calls them.

What trains is named and not imported: the workers have torch and the models, and the process
that follows them does without, so that neither waits while the other imports.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pixel_core.config import BaseModelConfig, PipelineConfig, RlConfig, SftConfig
from pixel_core.models.loading import FOLDER
from pixel_core.training.curve import write_curve
from pixel_core.workflow.parallel import team
from pixel_core.workflow.parallel.team import preload
from pixel_core.workflow.stage import Stage, StageContext

#: What the workers import, and this process does not.
_WORKERS_MODULES = (
    "pixel_core.training.base_model",
    "pixel_core.training.sft",
    "pixel_core.training.rl",
    "pixel_core.evaluation.answers",
)


def begin_workers(stages: Iterable[tuple[Stage, PipelineConfig]]) -> None:
    """Where one of these stages will have workers on this machine: let their parent import
    what they need from now on, which takes seconds, while this process does other work."""
    if any(_has_workers(stage, config) for stage, config in stages):
        preload(_WORKERS_MODULES)
        team.begin()


def _has_workers(stage: Stage, config: PipelineConfig) -> bool:
    if not stage.run.startswith("pixel_core.") or stage.place(config).on != "local":
        return False
    section = stage.section(config)
    engine = getattr(section, "engine", None)
    if engine is not None:
        return engine.kind == "embedded" and not engine.actors
    trains = stage.function(config).startswith(f"{__name__}:")
    return trains and getattr(section, "source", "tiny") == "tiny"


def base_model(context: StageContext) -> dict[str, Any]:
    """Write ``model/`` and, for a tiny model, ``curve.jsonl``."""
    section = context.config.base_model
    if section.source == "pretrained":
        from pixel_core.models import pretrained

        return pretrained.fetch(section.pretrained, context.out, context.progress)
    return _in_team("pixel_core.training.base_model:pretrain", context, section)


def sft(context: StageContext) -> dict[str, Any]:
    """Write ``model/`` and ``curve.jsonl``; without steps, the base model as it is."""
    section = context.config.sft
    if section.steps:
        return _in_team("pixel_core.training.sft:tune", context, section, dict(context.inputs))
    context.progress.note("sft.steps is 0: no warm start, the base model is handed on as it is")
    shutil.copytree(context.inputs["base_model"] / FOLDER, context.out / FOLDER)
    write_curve(context.out, [])
    return {"steps": 0, "epochs": 0.0}


def rl(context: StageContext) -> dict[str, Any]:
    """Write ``model/``, ``curve.jsonl`` and ``health.jsonl``."""
    return _in_team(
        "pixel_core.training.rl:reinforce", context, context.config.rl, dict(context.inputs)
    )


def _in_team(
    function: str,
    context: StageContext,
    section: BaseModelConfig | SftConfig | RlConfig,
    *inputs: dict[str, Path],
) -> dict[str, Any]:
    """Run ``function(team, section, dialogue, *inputs, work, out)`` in every worker of a team
    over the section's shards; returns the leader's metrics."""
    preload(_WORKERS_MODULES)
    result: dict[str, Any] = team.run_team(
        function,
        (section, context.config.dialogue, *inputs, context.work, context.out),
        shards=section.shards,
        workers=context.config.runtime.workers,
        progress=context.progress,
    )
    return result
