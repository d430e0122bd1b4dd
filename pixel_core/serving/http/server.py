"""uvicorn, bounded, and with an end that lets answers finish.

Told to stop (SIGTERM, Ctrl-C) it takes nothing new, lets what runs go on for a grace time,
ends the rest with an error in the API's shape, and only then closes its connections.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from pixel_core.errors import ConfigError
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.connections import bounded
from pixel_core.serving.http.gate import AdmissionControl

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds for replies that are written, once nobody is inside any more.
_LAST_WORDS_S = 2
_BACKLOG = 256
#: Seconds an idle connection is kept.
_KEEP_ALIVE_S = 15
_HEADER_BYTES = 16 * 1024


class Server(uvicorn.Server):
    """``say`` hears how it stops. ``interrupted``: it was Ctrl-C that ended it."""

    def __init__(
        self, app: ASGIApp, gate: AdmissionControl, limits: Limits, say: Callable[[str], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=bounded(
                    limits.header_timeout_s, limits.write_timeout_s, limits.max_connections
                ),
                ws="none",
                lifespan="off",
                loop="asyncio",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_LAST_WORDS_S,
                h11_max_incomplete_event_size=_HEADER_BYTES,
            )
        )
        self._gate = gate
        self._grace_s = limits.grace_s
        self._say = say
        self.interrupted = False

    def stop(self) -> None:
        """As SIGTERM does; from any thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        gate = self._gate
        gate.close()
        if gate.unanswered:
            self._say(
                f"stopping: {gate.unanswered} requests may finish within {self._grace_s:g} s; "
                "Ctrl-C ends them now"
            )
        loop = asyncio.get_running_loop()
        end = loop.time() + self._grace_s
        while gate.unanswered and not self.force_exit and loop.time() < end:
            await asyncio.sleep(0.05)
        if gate.unanswered:
            self._say(f"stopping: {gate.unanswered} requests are ended without an answer")
            gate.clear()
        self.force_exit = False  # what is left are a few bytes to write
        await super().shutdown(sockets)
        self._say("stopped")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the signals are not raised again at the end: whoever started the
        server still has a model to close."""
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
        self.interrupted |= sig == signal.SIGINT
        # The second wish, of either kind, is to end now.
        self.force_exit |= self.should_exit
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """The address, taken before the model is loaded; clients are let in once it is served.
    ``ConfigError`` where it can't be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"there is no address {host!r} here: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"{host}:{port} can't be listened on ({error.strerror}): give another --port, or "
            "--host"
        ) from None
    return bound
