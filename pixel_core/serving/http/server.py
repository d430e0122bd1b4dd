"""uvicorn with bounds, and a graceful shutdown.

On SIGTERM or Ctrl-C it accepts nothing new, lets running requests go on for a grace time,
ends the rest with an error in the API's shape, and only then closes its connections.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pixel_core.errors import ConfigError
from pixel_core.serving.http.admission import AdmissionControl, Limits
from pixel_core.serving.http.errors import Refusal

# Connections that can't be held open idle.
#
# uvicorn closes an idle connection after an answer, but waits forever for a first request, for
# the rest of a request's headers, and for a client to read. Its own refusals are plain text.


class BoundedConnection(H11Protocol):
    """Headers must arrive in time, answers must be read, and the number of connections is
    bounded. Subclasses set the bounds (``bounded``)."""

    header_timeout_s: float
    write_timeout_s: float
    max_connections: int

    _awaiting_headers: asyncio.TimerHandle | None = None
    _awaiting_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            # Refused before any header is read.
            self._reply(
                Refusal(
                    503,
                    f"all {self.max_connections} connections are taken: try again in a moment",
                    code="too_many_connections",
                    retry_after_s=1,
                )
            )
            return
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._between_requests():
            # Headers have begun: more bytes do not extend their time.
            if self._awaiting_headers is None:
                self._await_headers()
        else:
            self._cancel("_awaiting_headers")

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel("_awaiting_headers")
        self._cancel("_awaiting_reader")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._awaiting_reader = self.loop.call_later(self.write_timeout_s, self._drop)

    def resume_writing(self) -> None:
        self._cancel("_awaiting_reader")
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._reply(Refusal(400, msg, code="bad_http"))

    def _between_requests(self) -> bool:
        """Whether no request with complete headers is still unanswered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_headers(self) -> None:
        self._awaiting_headers = self.loop.call_later(self.header_timeout_s, self._no_headers)

    def _no_headers(self) -> None:
        if self._between_requests():
            self._drop()

    def _cancel(self, name: str) -> None:
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)

    def _drop(self) -> None:
        """Close at once: unsent data would wait for a reader that does not read."""
        self.transport.abort()

    def _reply(self, refusal: Refusal) -> None:
        """Bypasses the protocol's state machine, which may no longer be able to send."""
        if self.transport.is_closing():
            return
        body = json.dumps(refusal.body()).encode()
        reason = {400: "Bad Request", 503: "Service Unavailable"}[refusal.status]
        lines = [
            f"HTTP/1.1 {refusal.status} {reason}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in refusal.headers().items()),
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.transport.close()


def bounded(header_timeout_s: float, write_timeout_s: float, max_connections: int) -> type[Any]:
    """The protocol with these bounds, for ``uvicorn.Config(http=...)``."""
    bounds = {
        "header_timeout_s": header_timeout_s,
        "write_timeout_s": write_timeout_s,
        "max_connections": max_connections,
    }
    return type("Connection", (BoundedConnection,), bounds)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds for replies already written, once no request is left.
_LAST_WORDS_S = 2
_BACKLOG = 256
#: Seconds to keep an idle connection.
_KEEP_ALIVE_S = 15
_HEADER_BYTES = 16 * 1024


class Server(uvicorn.Server):
    """``say`` receives messages as it stops. ``interrupted``: Ctrl-C ended it."""

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
        """Like SIGTERM; safe from any thread."""
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
        self.force_exit = False  # only a few bytes are left to write
        await super().shutdown(sockets)
        self._say("stopped")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's, but does not raise the signals again at the end: the caller still
        has a model to close."""
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
        # A second signal of either kind means: end now.
        self.force_exit |= self.should_exit
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """Bind before the model is loaded; clients are accepted once it is served. ``ConfigError``
    if the address is not available."""
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
