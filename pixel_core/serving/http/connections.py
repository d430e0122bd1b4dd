"""Connections that can't be held open for nothing.

uvicorn closes an idle connection after an answer, but waits for ever for a first request, for
the rest of a request's headers, and for a client to read. Its own refusals are plain text.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from pixel_core.serving.http.errors import Refusal


class BoundedConnection(H11Protocol):
    """A request's headers must come in time, an answer must be read, and there are at most so
    many connections. Subclasses set the bounds (``bounded``)."""

    header_timeout_s: float
    write_timeout_s: float
    max_connections: int

    _awaiting_headers: asyncio.TimerHandle | None = None
    _awaiting_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            # In no header was it said what is wanted; so it is refused before.
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
            # Headers have begun: they are not given more time with every byte.
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
        """No request's headers are complete that is not answered yet."""
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
        """Close at once: what is unsent would wait for a reader that does not read."""
        self.transport.abort()

    def _reply(self, refusal: Refusal) -> None:
        """Without the protocol's state machine, which may be past saying anything."""
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
