"""The model that the engines are compared on, its questions, and episodes to be compared.

``make vllm-parity`` made it in the control plane, from ``zooming.toml``, into a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixel_core.config import DialogueConfig, SamplingConfig, VllmConfig
from pixel_core.config.profile import load_profile
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.loading import FOLDER, load_model
from pixel_core.models.vllm_engine import VllmEngine
from pixel_core.records import Split
from pixel_core.rollout.engine import Completion, Engine
from pixel_core.rollout.episode import Episode, RenderedPrompt
from pixel_core.rollout.queries import QueryReader, read_queries
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.workflow.store import Store

PROFILE = Path(__file__).parent / "zooming.toml"
GREEDY = SamplingConfig(temperature=0.0)
#: The issue's own bound on a token's log-probability; in float32 it is about 1e-5.
LOGPROB_TOLERANCE = 1e-3

torch.set_num_threads(1)


@dataclass(frozen=True)
class WarmStart:
    folder: Path
    model: Any
    vocabulary: Vocabulary
    dialogue: DialogueConfig
    prompts: Renderer
    openings: list[RenderedPrompt]

    @property
    def wordy(self) -> WarmStart:
        """The same model under the full prompt, hundreds of tokens that it never saw: the CPU
        build's prefix cache keeps blocks of 128 tokens, more than a compact prompt has."""
        dialogue = self.dialogue.model_copy(update={"prompt": "full", "max_tokens": 2048})
        return replace(self, dialogue=dialogue, prompts=Renderer(dialogue, self.vocabulary))

    def transcripts(self, count: int = 40) -> list[Transcript]:
        """Each question as it is asked first."""
        return [self.prompts.open(o.query, o.visuals) for o in self.openings[:count]]

    def embedded(self, model: Any = None, seed: int = 0) -> EmbeddedEngine:
        return EmbeddedEngine(model or self.model, self.vocabulary, seed)

    def vllm(self, folder: Path | None = None, **settings: Any) -> VllmEngine:
        values: dict[str, Any] = {"dtype": "float32", "max_sequences": 64, "eager": True}
        config = VllmConfig(**values | settings)
        return VllmEngine(folder or self.folder, self.vocabulary, self.dialogue, config)


def open_store(uri: str) -> WarmStart:
    store = Store.open(uri)
    sft, ingest = store.latest("sft"), store.latest("ingest")
    assert sft is not None, f"{uri} has no warm start: run make vllm-parity"
    assert ingest is not None
    model, vocabulary = load_model(sft.local())
    dialogue = load_profile(str(PROFILE)).dialogue
    prompts = Renderer(dialogue, vocabulary)
    questions = QueryReader(ingest.local(), prompts)
    queries = read_queries(ingest.local(), Split.TEST)
    openings = [questions.open(query) for query in queries]
    return WarmStart(sft.local() / FOLDER, model, vocabulary, dialogue, prompts, openings)


class Led:
    """An engine that is asked in every turn, and in an episode's first turns overruled.

    So that an episode goes where a test wants it, and the engine's own choice in each of its
    turns can be compared all the same. ``own``: what the engine itself said, in order.
    """

    def __init__(self, engine: Engine, vocabulary: Vocabulary, turns: Sequence[str]) -> None:
        self.own: list[Completion] = []
        self._engine = engine
        self._vocabulary = vocabulary
        self._turns = turns
        self._asked: dict[int, int] = {}

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        # It may have kept what it said itself, and something else was put in its place.
        self._engine.forget()
        own = self._engine.generate(transcripts, sampling, max_new_tokens)
        self.own += own
        return [self._lead(*pair) for pair in zip(transcripts, own, strict=True)]

    def _lead(self, transcript: Transcript, own: Completion) -> Completion:
        turn = self._asked.get(id(transcript), 0)
        self._asked[id(transcript)] = turn + 1
        if turn >= len(self._turns):
            return own
        tokens = self._vocabulary.encode_plain(self._turns[turn])
        return Completion([*tokens, self._vocabulary.turn_end], [0.0] * (len(tokens) + 1), True)

    def forget(self) -> None:
        self._engine.forget()


def agreement(ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[int, float]:
    """How many of the episodes, or completions, have the same tokens, and the largest
    difference of their log-probabilities among those."""
    same, apart = 0, 0.0
    for one, other in zip(ours, theirs, strict=True):
        one, other = (e.transcript if isinstance(e, Episode) else e for e in (one, other))
        if one.tokens == other.tokens:
            same += 1
            apart = max(apart, float(np.abs(np.subtract(one.logprobs, other.logprobs)).max()))
    return same, apart
