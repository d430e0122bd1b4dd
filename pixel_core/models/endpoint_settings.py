"""An answering endpoint's settings, as ``pixel_core.models.endpoint`` knows an endpoint."""

from __future__ import annotations

from pixel_core.config import EndpointEngineConfig
from pixel_core.models.endpoint.endpoint import Endpoint


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
