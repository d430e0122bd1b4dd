"""Other sites' pages that may ask (CORS), and the prefix a proxy gives the server.

The headers follow the Fetch standard ("CORS protocol"); a preflight carries no key, so none
is required.
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
#: Header names that a page may send; nothing else.
_NAMES = re.compile(r"[A-Za-z0-9_, -]{0,2000}")
#: Seconds a browser may cache a preflight.
_KEPT_S = "600"


class Origins:
    """``allowed``: as in ``--allow-origin``, "*" for all. Raises ``ConfigError`` for a value
    that no browser sends."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(_origin(one) for one in allowed if one not in ("*", "null"))
        self._allowed |= {"null"} & set(allowed)

    def headers(self, origin: str) -> dict[str, str]:
        """Headers for a reply to a page of this origin; none if it may not read the reply."""
        if not self._may_read(origin):
            return {"Vary": "Origin"} if self._allowed else {}
        return {
            "Access-Control-Allow-Origin": "*" if self._all else origin,
            "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate",
            **({} if self._all else {"Vary": "Origin"}),
        }

    def preflight(self, origin: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that let a browser send the request itself. ``Refusal`` 403 for other
        origins."""
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
    """Where a proxy publishes the server. ``path``: the prefix of its paths, "" for none;
    ``origin``: the URL that browsers use, "" if not given."""

    path: str = ""
    origin: str = ""

    @classmethod
    def of(cls, text: str) -> RootPath:
        """Parse ``/prefix`` or ``https://name/prefix``. ``ConfigError`` for anything else."""
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
        """As in a Host header; "" if not given."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        return self.origin + self.path

    def inside(self, scope: Scope) -> Scope:
        """The request without the prefix, whether or not the proxy removed it."""
        path = str(scope["path"])
        if not self.path or not (path + "/").startswith(self.path + "/"):
            return scope
        own = path.removeprefix(self.path) or "/"
        return {**scope, "path": own, "raw_path": own.encode()}


def _origin(text: str, option: str = "--allow-origin") -> str:
    """As browsers write it: lower case, without the scheme's default port."""
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
