"""How the stages that train on top of another model begin: a team, and a model to train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig
from pixel_core.models.loading import load_model
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.optimizer import freeze_vision


@dataclass(frozen=True)
class ModelInTraining:
    """A model to train, with the words it knows and the prompts it is asked with."""

    model: Any
    vocabulary: Vocabulary
    prompts: Renderer

    @classmethod
    def load(cls, artifact: Path, dialogue: DialogueConfig, *, freeze: bool) -> ModelInTraining:
        """From a stage's folder; ``freeze``: the vision tower stays as it is."""
        model, vocabulary = load_model(artifact)
        if freeze:
            freeze_vision(model)
        return cls(model, vocabulary, Renderer(dialogue, vocabulary))
