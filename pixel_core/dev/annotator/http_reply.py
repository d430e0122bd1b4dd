"""HTTP responses, including transport faults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class HttpReply:
    """A response. ``path`` replaces ``body`` with the content of a file."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    path: Path | None = None
    #: Delay in seconds before anything is sent.
    wait_s: float = 0.0
    #: Send at most this many bytes of the body, then close; -1: not even a status.
    cut_at: int | None = None

    def length(self) -> int:
        return len(self.body) if self.path is None else self.path.stat().st_size

    def pieces(self) -> Iterator[bytes]:
        """The body in chunks."""
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
    """An error in the format of OpenAI-compatible endpoints."""
    error = {"message": message, "type": kind, "param": None, "code": code or None}
    return json_reply({"error": error}, status)
