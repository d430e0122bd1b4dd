"""The annotating model's endpoint, as ``pixel_core.models.endpoint`` knows one."""

from __future__ import annotations

from pixel_core.config import OpenAIConfig
from pixel_core.models.endpoint.endpoint import Endpoint


def endpoint_of(config: OpenAIConfig) -> Endpoint:
    return Endpoint(
        base_url=config.base_url,
        model=config.model,
        api_key_env=config.api_key_env,
        timeout_s=config.timeout_s,
        retries=config.max_retries,
        at_once=config.concurrency,
        section="annotate.openai.",
        retries_setting="max_retries",
        at_once_setting="concurrency",
        takes="pictures and a JSON schema",
        max_wait_s=config.max_wait_s,
        omit=config.omit,
    )
