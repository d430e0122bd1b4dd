"""How the stages that train on top of another model begin: a team, and a model to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, RlConfig, SftConfig
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.vocabulary import Vocabulary
from pixel_core.models.loading import load_model
from pixel_core.stage import StageContext
from pixel_core.training.optimizer import freeze_vision
from pixel_core.workers.team import run_team


@dataclass(frozen=True)
class Trainee:
    """A model to train, with the words it knows and the prompts it is asked with."""

    model: Any
    vocabulary: Vocabulary
    prompts: Prompts

    @classmethod
    def load(cls, artifact: Path, dialogue: DialogueConfig, *, freeze: bool) -> Trainee:
        """From a stage's folder; ``freeze``: the vision tower stays as it is."""
        model, vocabulary = load_model(artifact)
        if freeze:
            freeze_vision(model)
        return cls(model, vocabulary, Prompts(dialogue, vocabulary))


def in_team(
    function: Callable[..., dict[str, Any]],
    context: StageContext,
    section: SftConfig | RlConfig,
) -> dict[str, Any]:
    """Run ``function(team, section, dialogue, inputs, work, out)`` in every worker of a team
    over the section's shards; returns the leader's metrics."""
    result: dict[str, Any] = run_team(
        function,
        (section, context.config.dialogue, dict(context.inputs), context.work, context.out),
        shards=section.shards,
        workers=context.config.runtime.workers,
        progress=context.progress,
    )
    return result
