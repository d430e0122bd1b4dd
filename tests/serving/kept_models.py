"""A store with a policy that knows four episodes by heart, as a run would have left it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from adapters import BEFORE, DOWN, QUERY, Tensors, factors, write_adapter
from memorised import memorised

from pixel_core.config import PipelineConfig
from pixel_core.models.loading import save_model
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.stage import Stage, StageContext
from pixel_core.workflow.store import Artifact, Store

#: What an adapter changes here, and its strength.
ADAPTED = {QUERY: 2, DOWN: 2}
ALPHA = 1.0


def policy(context: StageContext) -> dict[str, object]:
    """The stage's work: the model that knows its questions."""
    world = memorised().world
    save_model(world.model, world.vocabulary.tokenizer, context.out)
    return {}


def before_adapter(context: StageContext) -> dict[str, object]:
    """That model without what ``ADAPTED`` adds to it."""
    world = memorised().world
    model = copy.deepcopy(world.model)
    with torch.no_grad():
        for module, rank in ADAPTED.items():
            a, b = (
                added(module, rank)[f"{BEFORE}{module}.lora_{side}.weight"] for side in "AB"
            )
            model.get_submodule(module).weight -= ALPHA / rank * b @ a
    save_model(model, world.vocabulary.tokenizer, context.out)
    return {}


def added(module: str, rank: int) -> Tensors:
    return factors(memorised().world.model, {module: rank})


def adapter_of(base: Path | str, folder: Path) -> Path:
    """The adapter that turns ``before_adapter``'s model into the one that knows."""
    tensors = {k: v for item in ADAPTED.items() for k, v in added(*item).items()}
    return write_adapter(folder, base, tensors, r=2, lora_alpha=ALPHA)


def notes(context: StageContext) -> dict[str, object]:
    (context.out / "notes.txt").write_text("no model")
    return {}


def make(store: Path, name: str = "rl", work: str = "policy") -> Artifact:
    """Commit an artifact of a stage of this name."""
    settings = {"dialogue": memorised().world.prompts.dialogue.model_dump()}
    stage = Stage(name, 1, ("dialogue",), (), f"kept_models:{work}", "")
    opened = Store.open(str(store))
    artifact = run_stage(stage, PipelineConfig.model_validate(settings), {}, opened).artifact
    opened.remember(artifact)
    return artifact


def changed(file: Path, **values: Any) -> None:
    """Write other values into a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
