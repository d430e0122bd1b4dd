"""The endpoint's key, from the environment and nowhere else."""

from __future__ import annotations

import os

from pixel_core.errors import EndpointError


def key_of(variable: str) -> str:
    """The key in the environment variable. Raises ``EndpointError`` for none, or for what
    no header can carry."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise EndpointError(
            f"the environment variable {variable} is not set; put the endpoint's key in it "
            "(any word, for a server that needs none), or name another variable in "
            "annotate.openai.api_key_env"
        )
    if not (key.isascii() and key.isprintable()):
        raise EndpointError(
            f"the environment variable {variable} holds characters no key has; set it again"
        )
    return key
