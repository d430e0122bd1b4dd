"""An endpoint as its user configured it, and what its settings are called there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from pixel_core.errors import EndpointError


@dataclass(frozen=True)
class Endpoint:
    """Where requests go, and how patiently. Holds no key, only the name of its variable."""

    base_url: str
    model: str
    #: The environment variable that holds the key; "": none is sent.
    api_key_env: str
    timeout_s: float
    #: After the first try.
    retries: int
    at_once: int
    #: Of the profile, with a dot at its end: errors name the setting that mends them.
    section: str
    retries_setting: str
    at_once_setting: str
    #: What the model must be able to take, in words.
    takes: str
    #: Seconds that one request may wait, in all, for an endpoint that is asked too much.
    max_wait_s: float = 1800.0
    #: Parameters that are not sent.
    omit: tuple[str, ...] = ()
    #: ``max_tokens`` goes under its newer name.
    max_completion_tokens: bool = False

    @property
    def where(self) -> str:
        """The address without credentials or options."""
        parts = urlsplit(self.base_url)
        return f"the endpoint {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


# The endpoint's key, from the environment and nowhere else.


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
