"""Which engine answers: this process, vLLM, or somebody's endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pixel_core.config import DialogueConfig, EngineConfig
from pixel_core.models.endpoint_engine import EndpointEngine
from pixel_core.models.endpoint_settings import endpoint_of
from pixel_core.models.loading import FOLDER, load_model, load_vocabulary
from pixel_core.rollout.engine import Engine
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary


class AnsweringEngine(Engine, Protocol):
    """An engine that is opened for a stage which only answers."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def reseed(self, seed: int) -> None:
        """Draws follow from this number alone from now on, where the engine draws itself."""

    def hold(self, transcripts: Sequence[Transcript]) -> None:
        """Keep what is cached of these, also through calls that leave them out, and drop what
        is cached of others. For episodes that come and go; until then the transcripts of the
        last call are what is kept."""

    def close(self) -> None:
        """Free what the engine holds; it generates no more."""


def open_engine(
    config: EngineConfig,
    artifact: Path,
    dialogue: DialogueConfig,
    *,
    section: str,
    endpoint_section: str = "",
    device: str = "cpu",
    folder_name: str = FOLDER,
    say: Callable[[str], None] = lambda sentence: None,
) -> AnsweringEngine:
    """The engine of a stage's model, whose ``artifact`` is a local folder.

    ``section``: what ``config`` is called in a profile, for errors; ``endpoint_section``: what
    its endpoint is, where that stands elsewhere. ``device`` is the embedded engine's;
    ``folder_name`` as in ``load_model``. Raises ``DataError`` for a folder without a model,
    ``ConfigError`` where vLLM is not installed, and ``EndpointError`` without the endpoint's
    key.
    """
    if config.kind == "endpoint":
        endpoint = endpoint_of(config.endpoint, endpoint_section or f"{section}.endpoint")
        return EndpointEngine(endpoint, load_vocabulary(artifact, folder_name), say)
    if config.kind == "vllm":
        from pixel_core.models.vllm_engine import VllmEngine

        vocabulary = load_vocabulary(artifact, folder_name)
        return VllmEngine(artifact / folder_name, vocabulary, dialogue, config.vllm)
    from pixel_core.models.engine import EmbeddedEngine

    return EmbeddedEngine(*load_model(artifact, device, folder_name))
