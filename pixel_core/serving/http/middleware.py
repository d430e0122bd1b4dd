"""Access control: clients with the key, and no web page that tricks a browser into asking."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import os
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixel_core.errors import ConfigError
from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.origins import Origins, RootPath

# Draining the body of a request refused before it has all arrived.
#
# Many clients write everything before they read. Closing the connection early gives them a
# broken pipe instead of the reason. So the rest is read for a while and dropped.


_MOST_BYTES = 128 << 20
_MOST_S = 5.0


class Upload:
    """Tracks how much of a request's body has arrived. ``receive`` replaces the server's."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self._receive = receive
        self._over = not names & {b"content-length", b"transfer-encoding"}
        #: The client waits for permission to send ("100-continue").
        self._asks = b"expect" in names
        self._begun = False

    async def receive(self) -> Message:
        self._begun = True
        message = await self._receive()
        self._over |= message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def over(self, *, wait: bool) -> bool:
        """Whether the body is complete; with ``wait``, read on within time and size limits."""
        if self._over or not wait or (self._asks and not self._begun):
            return self._over
        length = 0
        try:
            async with asyncio.timeout(_MOST_S):
                while not self._over and length <= _MOST_BYTES:
                    length += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
        return self._over


#: The environment variable that holds the key, the only way to set it.
VARIABLE = "PIXEL_API_KEY"
#: A weak key is worse than none, since it looks safe.
_SHORTEST = 12


def key_from_environment() -> str:
    """The key; "" if unset. ``ConfigError`` for an unusable one."""
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
    """Whether ``host`` is reachable only from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """``key``: "" lets everybody ask. ``only_loopback``: the request must use a loopback name
    for this machine, so that no web page reaches it under a name of its own that resolves
    here (DNS rebinding); ``host``: one more allowed name, a proxy's."""

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
        """Raises ``Refusal`` 401. Compares in constant time."""
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


# Every request passes here: access control, errors in the API's shape, one log line.
#
# The line contains no content, query or header; a path is one of ours or "other".


log = logging.getLogger("pixel.serving")

#: Health checks need no key.
OPEN = frozenset({"/health", "/health/live"})
#: nginx's status for a client that disconnected; never sent.
CLIENT_GONE = 499
#: Sent without reading the rest of the body: it is too slow, or the server is stopping.
_AT_ONCE = frozenset({408, 503})


class HttpMiddleware:
    """``routes``: the known paths; ``origins``: of pages that may ask; ``root``: the prefix
    that a proxy adds to the paths."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        metrics: Metrics,
        routes: frozenset[str],
        origins: Origins,
        root: RootPath,
    ) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics
        self._routes = routes
        self._origins = origins
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] not in self._routes:
            scope = self._root.inside(scope)
        origin = Headers(scope=scope).get("origin", "")
        route = scope["path"] if scope["path"] in self._routes else "other"
        status = CLIENT_GONE
        began = time.monotonic()

        upload = Upload(scope, receive)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(self._origins.headers(origin))
                if not await upload.over(wait=status not in _AT_ONCE):
                    # The rest of the body must not be read as a new request.
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self._answer(route, scope, upload.receive, sending)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.monotonic() - began
            method = scope["method"] if scope["method"].isalpha() else "?"
            self._metrics.replied(route, status)
            log.info("%s %s %s %d %.3f s", _client(scope), method[:10], route, status, seconds)

    async def _answer(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            self._access.check_host(request)
            if _is_preflight(request):
                allowed = self._origins.preflight(request.headers["origin"], request.headers)
                await Response(status_code=204, headers=allowed)(scope, receive, send)
                return
            if route not in OPEN:
                self._access.check_key(request)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_preflight(request: Request) -> bool:
    asks = "access-control-request-method" in request.headers
    return request.method == "OPTIONS" and asks and "origin" in request.headers


def refused(refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.body(), refusal.status, refusal.headers())


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "-"
