"""The real endpoint over real HTTP, with the tiny model that knows four questions by heart."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from memorised import memorised
from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.serving.http.admission import AdmissionControl, Limits
from pixel_core.serving.http.app import ChatEndpoint
from pixel_core.serving.http.middleware import Access
from pixel_core.serving.http.origins import Origins, RootPath
from pixel_core.serving.http.server import Server, bind
from pixel_core.serving.scheduler import Scheduler
from pixel_core.serving.url_fetch import UrlLimits

MODEL = "tiny-policy"
CHAT = "/v1/chat/completions"


class HeldEngine(EmbeddedEngine):
    """The real engine, which begins no turn while it is held."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = threading.Event()

    def generate(self, *arguments: Any, **named: Any) -> Any:
        self.asked.set()
        assert self.go_on.wait(60), "a test forgot to let the engine go on"
        return super().generate(*arguments, **named)


@dataclass
class Running:
    url: str
    port: int
    gate: AdmissionControl
    scheduler: Scheduler
    engine: HeldEngine
    server: Server
    thread: threading.Thread
    said: list[str]

    def post(self, body: Any = None, **named: Any) -> httpx.Response:
        if body is not None:
            named["content"] = json.dumps(body).encode()
            named["headers"] = {"content-type": "application/json"} | named.get("headers", {})
        return httpx.post(self.url + CHAT, timeout=60, **named)

    def get(self, path: str, **named: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **named)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def serving(
    limits: Limits | None = None,
    key: str = "",
    urls: UrlLimits | None = None,
    dialogue: DialogueConfig | None = None,
    origins: Sequence[str] = (),
    root: str = "",
) -> Iterator[Running]:
    limits = limits or Limits()
    world = memorised().world
    engine = HeldEngine(world.model, world.vocabulary)
    scheduler = Scheduler(engine, at_once=limits.max_running)
    said: list[str] = []
    parts = ChatEndpoint(
        MODEL,
        scheduler,
        dialogue or world.prompts.dialogue,
        Access(key, only_loopback=True, host=RootPath.of(root).host),
        limits=limits,
        urls=urls,
        origins=Origins(origins),
        root=RootPath.of(root),
        say=said.append,
    )
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    thread = threading.Thread(target=lambda: asyncio.run(parts.server.serve([bound])))
    thread.start()
    endpoint = Running(
        f"http://127.0.0.1:{port}",
        port,
        parts.gate,
        scheduler,
        engine,
        parts.server,
        thread,
        said,
    )
    try:
        endpoint.get("/health")  # it waits in the socket until it is served
        yield endpoint
    finally:
        engine.go_on.set()
        parts.server.stop()
        thread.join(30)
        assert not thread.is_alive(), "the server did not stop"
        scheduler.close()
        parts.close()


def data_url(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def picture_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def known(number: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The content of a user message that the model knows, and the turns it answers with."""
    world = memorised()
    opening = world.openings[number]
    content = [picture_part(data_url(picture.image)) for picture in opening.shown]
    content.append({"type": "text", "text": opening.query.question})
    return content, world.turns[number]


def asking(number: int = 0, **parameters: Any) -> dict[str, Any]:
    """A request's body."""
    message = {"role": "user", "content": known(number)[0]}
    return {"model": MODEL, "messages": [message], **parameters}


def events_of(lines: Iterator[str]) -> Iterator[Any]:
    """What a stream says, its end included; comments are left out."""
    for line in lines:
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            yield data if data == "[DONE]" else json.loads(data)
