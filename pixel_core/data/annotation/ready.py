"""What annotation needs before a run begins: found out now, not after ingest."""

from __future__ import annotations

from pixel_core.config import PipelineConfig
from pixel_core.data.annotation.endpoint import endpoint_of
from pixel_core.data.annotation.prompt_files import check_versions
from pixel_core.models.endpoint.api_key import key_of


def check(config: PipelineConfig) -> None:
    """Raise ``EndpointError`` without a key, ``ConfigError`` for unknown prompts."""
    if config.annotate.by == "openai":
        check_versions(config.annotate.openai.prompts)
        key_of(endpoint_of(config.annotate.openai))
