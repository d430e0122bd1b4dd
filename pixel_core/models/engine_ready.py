"""What an engine needs before a run begins: an endpoint's key, where the stage runs here."""

from __future__ import annotations

from pixel_core.config import EndpointEngineConfig, EngineConfig, PipelineConfig, PlaceConfig


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
    from pixel_core.models.endpoint.api_key import key_of
    from pixel_core.models.endpoint_settings import endpoint_of

    key_of(endpoint_of(endpoint, section))
