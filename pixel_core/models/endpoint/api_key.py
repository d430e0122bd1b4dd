"""The endpoint's key, from the environment and nowhere else."""

from __future__ import annotations

import os

from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.endpoint import Endpoint


def key_of(endpoint: Endpoint) -> str:
    """The key in the endpoint's environment variable; "" where it names none. Raises
    ``EndpointError`` for a variable without one, or with what no header can carry."""
    variable = endpoint.api_key_env
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise EndpointError(
            f"the environment variable {variable} is not set; put the endpoint's key in it "
            "(any word, for a server that needs none), or name another variable in "
            f"{endpoint.section}api_key_env"
        )
    if not (key.isascii() and key.isprintable()):
        raise EndpointError(
            f"the environment variable {variable} holds characters no key has; set it again"
        )
    return key
