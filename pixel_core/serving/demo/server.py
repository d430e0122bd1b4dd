"""Serves the page on a socket until interrupted."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import uvicorn

from pixel_core.garbage import garbage_kept
from pixel_core.serving.demo.middleware import DemoMiddleware, Uploads
from pixel_core.serving.demo.session import Demo
from pixel_core.serving.http.free_memory import FreeMemory
from pixel_core.serving.http.origins import RootPath

#: Seconds that open pages get when the server ends.
_FAREWELL_S = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Bounds:
    """What visitors may use. ``upload``: bytes of a file, ``uploads``: of all stored uploads;
    ``at_once``: questions answered together; ``waiting``: questions that may queue beyond
    these; ``clients``: connections."""

    upload: int = 50_000_000
    uploads: int = 2_000_000_000
    at_once: int = 8
    waiting: int = 32
    clients: int = 200


def address(bound: socket.socket) -> str:
    """The URL for a browser."""
    host, port = bound.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def page_server(
    demo: Demo,
    bound: socket.socket,
    *,
    name: str,
    hint: str,
    bounds: Bounds,
    root: RootPath | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Iterator[PageServer]:
    """A server on the ``bound`` socket, ready to run; ``ready`` is called when the page can
    be opened. ``root``: the path or URL given by a proxy. Uploads are removed at the end;
    memory of large pictures is freed between requests, as in ``pixel serve``."""
    with _private_uploads() as folder, closing(FreeMemory()) as memory:
        demo.uploads = Uploads(folder)
        demo.ended = memory.look
        door = _door(demo, demo.uploads, bound, name, hint, bounds, root or RootPath())
        config = uvicorn.Config(
            door,
            log_level="warning",
            access_log=False,
            limit_concurrency=bounds.clients,
            timeout_graceful_shutdown=_FAREWELL_S,
        )
        yield PageServer(config, door, bound, ready)


class PageServer(uvicorn.Server):
    """Reports when it is ready. Signals end it and are not raised again: uploads must still
    be removed and a model closed."""

    def __init__(
        self,
        config: uvicorn.Config,
        door: DemoMiddleware,
        bound: socket.socket,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._door = door
        self._bound = bound
        self._ready = ready
        self._interrupted = False

    def serve_until_ended(self) -> None:
        """Serve until ``stop``, SIGTERM, or Ctrl-C (``KeyboardInterrupt``)."""
        self.run(sockets=[self._bound])
        if self._interrupted:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """From any thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._interrupted |= sig == signal.SIGINT
        self.force_exit |= self.should_exit
        self.should_exit = True


def _door(
    demo: Demo,
    uploads: Uploads,
    bound: socket.socket,
    name: str,
    hint: str,
    bounds: Bounds,
    root: RootPath,
) -> DemoMiddleware:
    import fastapi

    # Gradio parses the sources of its components with Python's own parser.
    with garbage_kept():
        import gradio

        from pixel_core.serving.demo.page import build, style, theme

    forbid_fetching()
    host, port = bound.getsockname()[:2]
    page = build(demo, name=name, hint=hint, at_once=bounds.at_once, waiting=bounds.waiting)
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
        page,
        path="/",
        root_path=root.url or None,
        server_name=host,
        server_port=port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=bounds.upload,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        # Passed as "css", Gradio would rewrite it and lose the light and dark variants.
        head=f"<style>{style()}</style>",
    )
    # A mounted page counts as never launched, and Gradio checks paths only of launched ones.
    # This is a second check behind the middleware's.
    page.has_launched = True
    return DemoMiddleware(
        app,
        uploads,
        # The multipart form adds to the size of the file.
        upload=bounds.upload + 100_000,
        room=bounds.uploads,
        only_here=ip_address(host).is_loopback,
        root=root,
    )


@contextmanager
def _private_uploads() -> Iterator[Path]:
    """A folder of this server alone. Gradio reads these variables at import, and the folder's
    at each question: when a second server of the process ends, the first's is restored."""
    with tempfile.TemporaryDirectory(prefix="pixel-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        wanted = {
            "GRADIO_TEMP_DIR": str(folder),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_ALLOWED_PATHS": "",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        before = {variable: os.environ.get(variable) for variable in wanted}
        os.environ.update(wanted)
        try:
            yield folder
        finally:
            for variable, value in before.items():
                if value is None:
                    os.environ.pop(variable, None)
                else:
                    os.environ[variable] = value


# Gradio fetches URLs that a request gives instead of a file; this page does not.


def forbid_fetching() -> None:
    """Disable fetching for this process from now on. A field subclass could refuse too, but
    Gradio writes a stub file beside the source of each."""
    from gradio import processing_utils

    name = "async_ssrf_protected_get"
    if not callable(getattr(processing_utils, name)):  # else Gradio fetches another way
        raise TypeError(f"gradio.processing_utils.{name} is no function any more")
    setattr(processing_utils, name, _refuse)


async def _refuse(url: str, *_: Any, **__: Any) -> NoReturn:
    from gradio import Error

    raise Error("Addresses are not fetched: upload the file itself.", print_exception=False)
