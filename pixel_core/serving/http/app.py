"""The routes: chat completions, models, health, metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from pixel_core.config import DialogueConfig
from pixel_core.serving.http.admission import AdmissionControl, Limits
from pixel_core.serving.http.completions import Completions, Model
from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.free_memory import FreeMemory
from pixel_core.serving.http.metrics import CONTENT_TYPE, Metrics
from pixel_core.serving.http.middleware import Access, HttpMiddleware, refused
from pixel_core.serving.http.model import ServedModel
from pixel_core.serving.http.origins import Origins, RootPath
from pixel_core.serving.http.server import Server
from pixel_core.serving.scheduler import Scheduler
from pixel_core.serving.url_fetch import UrlLimits

#: Load balancers poll the second.
_READ = ["GET", "HEAD"]


class Served(Model, Protocol):
    @property
    def alive(self) -> bool:
        """Whether questions are accepted."""


def build_app(
    model: Served,
    limits: Limits,
    access: Access,
    gate: AdmissionControl,
    metrics: Metrics,
    origins: Origins,
    root: RootPath,
) -> HttpMiddleware:
    """The whole endpoint as an ASGI application. ``gate``: closing it stops the serving."""
    # Documentation pages would fetch scripts from other hosts.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    answering = Completions(model, gate, limits, metrics)
    began = int(time.time())
    metrics.watch("requests_reading", "Requests that are being sent", lambda: gate.reading)
    metrics.watch("requests_inside", "Requests with a place", lambda: gate.inside)
    metrics.watch("requests_running", "Requests whose episode goes on", lambda: gate.running)
    metrics.watch("requests_waiting", "Requests that wait for a place", lambda: gate.waiting)
    described = {"id": model.name, "object": "model", "created": began, "owned_by": "pixel"}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        return await answering.reply(request)

    @app.api_route("/v1/models", methods=_READ)
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [described]})

    @app.api_route("/v1/models/{name:path}", methods=_READ)
    async def one_model(name: str) -> Response:
        if name != model.name:
            raise Refusal(
                404,
                f"there is no model {name[:100]!r} here: the only one is {model.name!r}",
                code="model_not_found",
                param="model",
            )
        return JSONResponse(described)

    @app.api_route("/health/live", methods=_READ)
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @app.api_route("/health", methods=_READ)
    async def ready() -> Response:
        status = "stopping" if gate.closed else "ready" if model.alive else "dead"
        facts = {"status": status, "running": gate.running, "waiting": gate.waiting}
        return JSONResponse(facts, 200 if status == "ready" else 503)

    @app.api_route("/metrics", methods=_READ)
    async def counted() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        return refused(refusal)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            text, code = "this path takes another method", "method_not_allowed"
        else:
            text, code = "there is nothing at this path; see /v1/models", "not_found"
        response = refused(Refusal(error.status_code, text, code=code))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def mistake(_: Request, error: Exception) -> Response:
        # Starlette raises it again behind this, for the log.
        text = "the server made a mistake; its log says more"
        return refused(Refusal(500, text, code="internal_error"))

    paths = frozenset(getattr(route, "path", "") for route in app.routes)
    return HttpMiddleware(app, access, metrics, paths, origins, root)


# All parts of the endpoint, assembled around one model.


class ChatEndpoint:
    """``name``: what clients call the model. ``dialogue``: its prompt settings. ``origins``:
    of pages that may ask. ``root``: the prefix or URL set by a proxy. ``say`` receives
    messages as the server stops. The caller closes the scheduler, after the server has ended.

    Run ``server.serve([socket])`` in an event loop, with a socket of ``server.bind``.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        dialogue: DialogueConfig,
        access: Access,
        *,
        limits: Limits | None = None,
        urls: UrlLimits | None = None,
        origins: Origins | None = None,
        root: RootPath | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        limits = limits or Limits()
        self._memory = FreeMemory()
        self.gate = AdmissionControl(limits, self._memory.look)
        self.hosted = ServedModel(name, scheduler, dialogue, limits, urls or UrlLimits())
        app = build_app(
            self.hosted,
            limits,
            access,
            self.gate,
            Metrics(),
            origins or Origins(),
            root or RootPath(),
        )
        self.server = Server(app, self.gate, limits, say)

    def close(self) -> None:
        """End the threads beside the server's."""
        self.hosted.close()
        self._memory.close()
