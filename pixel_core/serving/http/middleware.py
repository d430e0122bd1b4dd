"""Who may ask: those with the key, and no web page that a browser was tricked to ask from."""

from __future__ import annotations

import hmac
import ipaddress
import os

from starlette.requests import Request

from pixel_core.errors import ConfigError
from pixel_core.serving.http.errors import Refusal

#: The environment's variable that holds the key; nothing else does.
VARIABLE = "PIXEL_API_KEY"
#: A key that is guessed in no time is worse than none, since it looks safe.
_SHORTEST = 12


def key_from_environment() -> str:
    """The key; "" where there is none. ``ConfigError`` for one that can't be used."""
    key = os.environ.get(VARIABLE, "")
    if not key:
        return ""
    if not key.isascii() or not key.isprintable() or " " in key or len(key) < _SHORTEST:
        raise ConfigError(
            f"{VARIABLE} must be {_SHORTEST} characters or more, printable ASCII without "
            "spaces; unset it to serve without a key"
        )
    return key


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """``key``: "" lets everybody ask. ``only_loopback``: the request must be addressed to
    this machine by a name of loopback, so that no web page reaches it by a name of its own
    that resolves to here (DNS rebinding); ``host``: one more name, that of a proxy."""

    def __init__(self, key: str, only_loopback: bool, host: str = "") -> None:
        self._key = key.encode()
        self._only_loopback = only_loopback
        self._host = host

    @property
    def asks_key(self) -> bool:
        return bool(self._key)

    def check_host(self, request: Request) -> None:
        """Raises ``Refusal`` 421."""
        host = request.headers.get("host", "")
        if self._host and host.lower() == self._host:
            return
        if self._only_loopback and not is_loopback(_name(host)):
            raise Refusal(
                421,
                "the server answers to localhost and 127.0.0.1 only: use one of them, or start "
                "it with --host or, behind a proxy, --root-path https://NAME",
                code="host_not_allowed",
            )

    def check_key(self, request: Request) -> None:
        """Raises ``Refusal`` 401. Compares in a time that tells nothing about the key."""
        if not self._key:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._key)
        if scheme.lower() != "bearer" or not same:
            raise Refusal(
                401,
                "the key is missing or wrong: send the server's key as a bearer token, in the "
                "header Authorization",
                code="invalid_api_key",
            )


def _name(host: str) -> str:
    """The name of a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
