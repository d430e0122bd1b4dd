"""A model that answers questions in a worker process, through the episode loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.dialogue.episode import Episode, Opening, run_episodes
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.questions import Questions
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.models.loading import load_model
from pixel_core.records import Query


class Respondent:
    """A model's folder and the ingest artifact, opened: the model with its engine, its
    prompts, and the questions' pictures."""

    def __init__(self, model_folder: Path, ingest: Path, dialogue: DialogueConfig) -> None:
        model, vocabulary = load_model(model_folder)
        self.prompts = Prompts(dialogue, vocabulary)
        self._engine = EmbeddedEngine(model, vocabulary)
        self._questions = Questions(ingest, self.prompts)

    def begin(self, *stream: object) -> None:
        """Answers drawn from now on follow from this name alone."""
        self._engine.reseed(stream_seed(*stream))

    def open(self, queries: Sequence[Query]) -> list[Opening]:
        """The queries with their pictures."""
        return [self._questions.open(query) for query in queries]

    def answer(
        self, openings: Sequence[Opening], samples: int, sampling: SamplingConfig
    ) -> list[Episode]:
        """``samples`` episodes of each, in order, as one batch."""
        return run_episodes(self._engine, self.prompts, openings, samples, sampling)
