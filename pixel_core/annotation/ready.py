"""What annotation needs before a run begins: found out now, not after ingest."""

from __future__ import annotations

from pixel_core.annotation.annotator import prompts_of
from pixel_core.annotation.openai_client import key_of
from pixel_core.config import PipelineConfig


def check(config: PipelineConfig) -> None:
    """Raise ``EndpointError`` without a key, ``ConfigError`` for unknown prompts."""
    if config.annotate.by == "openai":
        prompts_of(config.annotate.openai.prompts.locate)
        key_of(config.annotate.openai.api_key_env)
