"""What goes back over a connection, its faults of transport included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class HttpReply:
    """A response. ``path`` instead of ``body``: the content of a file."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    path: Path | None = None
    #: Wait so long before anything is sent.
    wait_s: float = 0.0
    #: Send no more than this many bytes of the body, then close; -1: not even a status.
    cut_at: int | None = None

    def length(self) -> int:
        return len(self.body) if self.path is None else self.path.stat().st_size

    def pieces(self) -> Iterator[bytes]:
        """The body, a piece at a time."""
        if self.path is None:
            yield self.body
            return
        with self.path.open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece


def json_reply(value: Any, status: int = 200, **headers: str) -> HttpReply:
    return HttpReply(status, json.dumps(value).encode(), headers)


def error_reply(
    status: int, message: str, code: str = "", kind: str = "invalid_request_error"
) -> HttpReply:
    """An error in the form that OpenAI-compatible endpoints give it."""
    error = {"message": message, "type": kind, "param": None, "code": code or None}
    return json_reply({"error": error}, status)
