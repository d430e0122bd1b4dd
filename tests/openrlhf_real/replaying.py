"""Recorded rollouts carried out again by the project's episode loop, from the sampled tokens
alone; and log-probabilities by its own forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training_run import Recorded, TrainingRun

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.loading import load_model
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.records import Query
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary


class Script:
    """An engine that says what was recorded, and remembers what it was shown."""

    def __init__(self, turns: Sequence[Recorded], turn_end: int) -> None:
        self._left = list(turns)
        self._turn_end = turn_end
        self.shown: list[Transcript] = []

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        (transcript,) = transcripts
        self.shown.append(transcript.fork())
        turn = self._left.pop(0)
        assert len(turn["tokens"]) <= max_new_tokens
        finished = turn["tokens"][-1] == self._turn_end
        return [Completion(turn["tokens"], turn["logprobs"], finished)]

    def forget(self) -> None:
        """Nothing is kept."""

    @property
    def is_over(self) -> bool:
        return not self._left


@dataclass(frozen=True)
class Replayed:
    recorded: Recorded
    episode: Episode
    #: The transcript before each turn.
    shown: list[Transcript]
    #: The placeholder of pictures.
    image: int

    @classmethod
    def of(cls, run: TrainingRun, recorded: Recorded) -> Replayed:
        _, vocabulary, questions, prompts = opened(run)
        script = Script(recorded["turns"], vocabulary.turn_end)
        opening = questions.open(Query.model_validate_json(recorded["label"]))
        (episode,) = run_episodes(script, prompts, [opening], 1, run.config.rl.sampling)
        assert script.is_over, "more was sampled than the episode asked for"
        return cls(recorded, episode, script.shown, vocabulary.image)

    @property
    def sampled_logprobs(self) -> np.ndarray:
        """Of the tokens that are trained."""
        transcript = self.episode.transcript
        kept = np.array(transcript.weights) > 0
        return np.array(transcript.logprobs)[kept]


@lru_cache(maxsize=1)
def _opened(ingest: Path, warm_start: Path, dialogue: DialogueConfig) -> tuple[Any, ...]:
    model, vocabulary = load_model(warm_start)
    prompts = Renderer(dialogue, vocabulary)
    return model, vocabulary, QueryReader(ingest, prompts), prompts


def opened(run: TrainingRun) -> tuple[Any, Vocabulary, QueryReader, Renderer]:
    """The model that training began from, float32, and what questions are asked with."""
    model, vocabulary, questions, prompts = _opened(
        run.artifact("ingest").local(), run.artifact("sft").local(), run.config.dialogue
    )
    return model, vocabulary, questions, prompts


def logprobs_with(
    run: TrainingRun, weights: dict[str, torch.Tensor], replayed: Sequence[Replayed]
) -> np.ndarray:
    """Of the trained tokens, rollout after rollout: float32 arithmetic with these weights, over
    the whole vocabulary."""
    model, vocabulary, _, _ = opened(run)
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    found = []
    with torch.no_grad():
        for one in replayed:
            batch = collate([one.episode.transcript], vocabulary.pad, vocabulary.image)
            logits_kv, tokens_k, _ = trained_logits(model, batch, ())
            found.append(logprobs_of(logits_kv, tokens_k).numpy())
    return np.concatenate(found)
