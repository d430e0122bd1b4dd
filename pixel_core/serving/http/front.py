"""What every request passes: who may ask, errors in the API's shape, one line in the log.

The line names no content, no query, no header; a path is one of ours or "other".
"""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.middleware import Access
from pixel_core.serving.http.origins import Origins, RootPath
from pixel_core.serving.http.upload import Upload

log = logging.getLogger("pixel.serving")

#: Anybody may ask whether the server lives.
OPEN = frozenset({"/health", "/health/live"})
#: nginx's status for a client that went away; it is sent to nobody.
CLIENT_GONE = 499
#: Said without the rest of the body: it comes too slowly, or the server is stopping.
_AT_ONCE = frozenset({408, 503})


class HttpMiddleware:
    """``routes``: the paths there are; ``origins``: of pages that may ask; ``root``: what a
    proxy puts before the paths."""

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
                    # What comes of it yet is not read as a request.
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
