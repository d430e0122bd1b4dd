"""``pixel serve``: a model behind an OpenAI-compatible endpoint, until it is told to stop.

What takes seconds to import is imported while a line says what is being waited for.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import shlex
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from flows.cli.model import load_reasoner, request_of
from flows.cli.terminal import errors, say
from flows.consoles import plain_console
from pixel_core.config import PipelineConfig
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.middleware import (
    VARIABLE,
    Access,
    is_loopback,
    key_from_environment,
)
from pixel_core.serving.http.origins import Origins, RootPath

if TYPE_CHECKING:
    from pixel_core.serving.reasoner import Reasoner

_READY = """\
{name} is served at {url}/v1 ({model}; {at_once} at once, {waiting} may wait)
Try it in another terminal, with a picture that it never saw:

    {curl}

Ctrl-C stops it; what runs then may finish."""


@dataclass(frozen=True)
class ServeOptions:
    """The command line. ``name``: what clients call the model; "": as it is named here."""

    profile: str | None = None
    overrides: tuple[str, ...] = ()
    store: str | None = None
    model: str = "policy"
    base: str = ""
    name: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    allow_urls: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    root_path: str = ""
    operations: bool = True
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)


def serve(wanted: ServeOptions) -> None:
    """Serve until SIGTERM or Ctrl-C; what runs then may finish.

    Raises ``ConfigError`` for a taken port or a bad key, ``DataError`` where there is no such
    model, and ``KeyboardInterrupt`` after Ctrl-C.
    """
    key = key_from_environment()
    origins, root = Origins(wanted.allow_origins), RootPath.of(wanted.root_path)
    config = request_of(wanted).config()
    with errors.status("loading the model"):
        from pixel_core.serving.http.server import bind

        bound = bind(wanted.host, wanted.port)
    with bound, tempfile.TemporaryDirectory(prefix="pixel-serve-") as folder:
        with errors.status("loading the model"):
            reasoner = load_reasoner(wanted, config, at_once=wanted.limits.max_running)
        try:
            access = Access(key, is_loopback(wanted.host), root.host)
            interrupted = _serve(
                wanted, config, reasoner, bound, access, origins, root, Path(folder)
            )
        finally:
            reasoner.close()
    if interrupted:
        raise KeyboardInterrupt


def _serve(
    wanted: ServeOptions,
    config: PipelineConfig,
    reasoner: Reasoner,
    bound: socket.socket,
    access: Access,
    origins: Origins,
    root: RootPath,
    folder: Path,
) -> bool:
    """Whether it was Ctrl-C that ended it."""
    from pixel_core.serving.http.app import ChatEndpoint
    from pixel_core.serving.url_fetch import UrlLimits

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("pixel.serving").setLevel(logging.INFO)
    name = wanted.name or _named(wanted.model)
    local = is_loopback(wanted.host)
    endpoint = ChatEndpoint(
        name,
        reasoner.scheduler,
        reasoner.dialogue_for(operations=wanted.operations),
        access,
        limits=wanted.limits,
        urls=UrlLimits(hosts=wanted.allow_urls),
        origins=origins,
        root=root,
        say=lambda sentence: say("serve", "cyan", sentence),
    )
    if not (local or access.asks_key):
        say(
            "warning",
            "yellow",
            f"anybody who reaches {wanted.host} may use the model: set {VARIABLE} to ask for a "
            "key, and put a proxy with TLS before it",
        )
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    url = f"http://{host}:{bound.getsockname()[1]}"
    text = _READY.format(
        name=name,
        url=url,
        model=reasoner.name,
        at_once=wanted.limits.max_running,
        waiting=wanted.limits.max_waiting,
        curl=_curl(url, _example(folder, name, config), access.asks_key),
    )
    bound.listen()  # who takes the next line at its word waits, and is not turned away
    try:
        # From the first word on: who reads it may press Ctrl-C before the loop runs.
        with endpoint.server.capture_signals():
            plain_console().print(Text(text), soft_wrap=True)
            asyncio.run(endpoint.server.serve([bound]))
    finally:
        endpoint.close()
    return endpoint.server.interrupted


def _named(model: str) -> str:
    """A folder by its own name, also where it is called "." here."""
    path = Path(model)
    return (path.resolve().name if path.exists() else "") or model


def _example(folder: Path, name: str, config: PipelineConfig) -> Path:
    """A request that can be sent, as a file."""
    from pixel_core.serving.demo.examples import draw_examples

    example = draw_examples(config.ingest.drawn, 1)[0]
    out = io.BytesIO()
    example.images[0].save(out, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": example.question},
    ]
    body = {"model": name, "messages": [{"role": "user", "content": content}]}
    file = folder / "request.json"
    file.write_text(json.dumps(body), encoding="utf-8")
    return file


def _curl(url: str, file: Path, with_key: bool) -> str:
    key = f' -H "Authorization: Bearer ${VARIABLE}"' if with_key else ""
    return (
        f"curl {url}/v1/chat/completions -H 'Content-Type: application/json'{key} "
        f"-d @{shlex.quote(str(file))}"
    )
