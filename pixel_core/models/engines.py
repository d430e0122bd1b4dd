"""Which engine answers: this process, vLLM, or somebody's endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pixel_core.config import (
    DialogueConfig,
    EndpointEngineConfig,
    EngineConfig,
    PipelineConfig,
    PlaceConfig,
)
from pixel_core.models.endpoint.endpoint import Endpoint
from pixel_core.models.endpoint_engine import EndpointEngine
from pixel_core.models.loading import FOLDER, load_model, load_vocabulary
from pixel_core.rollout.engine import Engine
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary

# An answering endpoint's settings, as ``pixel_core.models.endpoint`` knows an endpoint.


def endpoint_of(config: EndpointEngineConfig, section: str) -> Endpoint:
    """``section``: what the settings are called in a profile (``answers.engine.endpoint``)."""
    return Endpoint(
        base_url=config.base_url,
        model=config.model,
        api_key_env=config.api_key_env,
        timeout_s=config.timeout_s,
        retries=config.attempts - 1,
        at_once=config.in_flight,
        section=f"{section}.",
        retries_setting="attempts",
        at_once_setting="in_flight",
        takes="pictures in its messages, and as many tokens as the dialogue allows",
        max_wait_s=config.max_wait_s,
        omit=config.omit,
        max_completion_tokens=config.max_completion_tokens,
    )


# What an engine needs before a run begins: an endpoint's key, where the stage runs here.


def check_answers(config: PipelineConfig) -> None:
    """Raise ``EndpointError`` for an endpoint without a usable key."""
    _check("answers", config.answers.engine, config.answers.place)


def check_text_only(config: PipelineConfig) -> None:
    """As ``check_answers``, where anything is sampled at all."""
    if config.text_only.share:
        _check("text_only", config.text_only.engine, config.text_only.place)


def check_benchmark_answers(config: PipelineConfig) -> None:
    """As ``check_answers``, for the benchmarks' engine and every row that is an endpoint."""
    section = config.benchmarks
    _check("benchmarks.answers", section.answers.engine, section.answers.place)
    for name, endpoint in section.endpoints.items():
        if section.answers.place.on == "local":
            _check_key(endpoint, f"benchmarks.endpoints.{name}")


def _check(section: str, engine: EngineConfig, place: PlaceConfig) -> None:
    # On a cluster the key is in the nodes' environment, which is not ours to read.
    if engine.kind != "endpoint" or place.on != "local":
        return
    _check_key(engine.endpoint, f"{section}.engine.endpoint")


def _check_key(endpoint: EndpointEngineConfig, section: str) -> None:
    from pixel_core.models.endpoint.endpoint import key_of

    key_of(endpoint_of(endpoint, section))


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
