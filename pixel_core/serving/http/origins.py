"""Pages of other sites that may ask (CORS), and the place a proxy gives the server.

The headers are those of the Fetch standard ("CORS protocol"); a preflight carries no key, so
none is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import Scope

from pixel_core.errors import ConfigError
from pixel_core.serving.http.errors import Refusal

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
#: What a page may send of its own: names of headers and nothing else.
_NAMES = re.compile(r"[A-Za-z0-9_, -]{0,2000}")
#: Seconds a browser may keep what a preflight said.
_KEPT_S = "600"


class Origins:
    """``allowed``: as ``--allow-origin`` has them, "*" for all. Raises ``ConfigError`` for what
    no browser sends."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(_origin(one) for one in allowed if one not in ("*", "null"))
        self._allowed |= {"null"} & set(allowed)

    def headers(self, origin: str) -> dict[str, str]:
        """Of a reply to a request from a page of this origin; none where it may not read."""
        if not self._may_read(origin):
            return {"Vary": "Origin"} if self._allowed else {}
        return {
            "Access-Control-Allow-Origin": "*" if self._all else origin,
            "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate",
            **({} if self._all else {"Vary": "Origin"}),
        }

    def preflight(self, origin: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that let a browser send the request itself. ``Refusal`` 403 for a page
        of another origin."""
        if not self._may_read(origin):
            raise Refusal(
                403,
                f"pages of {origin[:100]!r} may not ask here: start the server with "
                "--allow-origin and that origin",
                code="origin_not_allowed",
            )
        wanted = headers.get("access-control-request-headers", "")
        allowed = {
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": wanted if _NAMES.fullmatch(wanted) else "",
            "Access-Control-Max-Age": _KEPT_S,
        }
        if headers.get("access-control-request-private-network") == "true":
            allowed["Access-Control-Allow-Private-Network"] = "true"
        return self.headers(origin) | allowed

    def _may_read(self, origin: str) -> bool:
        return bool(origin) and (self._all or origin in self._allowed)


@dataclass(frozen=True)
class RootPath:
    """Where the server is behind a proxy. ``path``: what stands before its own paths, "" for
    nothing; ``origin``: how browsers reach it, "" where that is not said."""

    path: str = ""
    origin: str = ""

    @classmethod
    def of(cls, text: str) -> RootPath:
        """Of ``/prefix`` or ``https://name/prefix``. ``ConfigError`` for anything else."""
        origin, path = "", text.rstrip("/")
        if "://" in text:
            scheme, _, rest = path.partition("://")
            name, slash, below = rest.partition("/")
            origin, path = _origin(f"{scheme}://{name}", "--root-path"), slash + below
        if (path and not _PATH.fullmatch(path)) or ".." in path.split("/"):
            raise ConfigError(
                f"--root-path {text!r} is no path: give /prefix, or https://name/prefix as "
                "browsers see it"
            )
        return cls(path, origin)

    @property
    def host(self) -> str:
        """As in a Host header; "" where it is not said."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        return self.origin + self.path

    def inside(self, scope: Scope) -> Scope:
        """The request as it is without a proxy, whether that took the prefix off or not."""
        path = str(scope["path"])
        if not self.path or not (path + "/").startswith(self.path + "/"):
            return scope
        own = path.removeprefix(self.path) or "/"
        return {**scope, "path": own, "raw_path": own.encode()}


def _origin(text: str, option: str = "--allow-origin") -> str:
    """As browsers write it: small letters, no port where it is the scheme's own."""
    try:
        parts = urlsplit(text)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        parts, name, port = urlsplit(""), "", None
    extra = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _DEFAULT_PORTS or not name or not text.isascii() or extra:
        raise ConfigError(
            f"{option} {text!r} is no origin: give scheme and name and, if it is not the usual "
            "one, the port, such as https://app.example.org or http://localhost:3000 (names "
            "beyond ASCII in punycode)"
        )
    host = f"[{name}]" if ":" in name else name
    usual = port in (None, _DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if usual else f":{port}")
