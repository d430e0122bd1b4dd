"""The endpoint over HTTP: one thread a connection, one write a response."""

from __future__ import annotations

import hmac
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pixel_core.dev.annotator.batches import BatchDesk
from pixel_core.dev.annotator.chat import ChatDesk, Manners
from pixel_core.dev.annotator.faults import failure
from pixel_core.dev.annotator.files import FileShelf
from pixel_core.dev.annotator.http_reply import HttpReply, error_reply, json_reply
from pixel_core.dev.annotator.journal import Journal, JournalEntry
from pixel_core.dev.annotator.script import Script, ScriptedFault, ScriptRule

#: Larger bodies are refused, as the real service does for files.
MAX_BODY = 512 << 20


class AnnotatorServer:
    """Serves while the ``with`` block lasts.

    ``url``: the ``base_url`` for a client. ``journal``: the requests received.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        wrong_rate: float = 0.0,
        latency_s: float = 0.0,
        batch_s: float = 0.0,
        key: str = "",
        models: tuple[str, ...] = (),
        script: Script | None = None,
    ) -> None:
        """Listen on ``port`` of this machine only (0: a free one). Raises ``OSError``."""
        self._manners = Manners(wrong_rate, latency_s, batch_s, key, models, script or Script())
        self.journal = Journal()
        self._folder = tempfile.TemporaryDirectory(prefix="annotator-")
        self.chat = ChatDesk(self._manners, self.journal)
        self.files = FileShelf(Path(self._folder.name))
        self.batches = BatchDesk(self._manners, self.chat, self.files)
        try:
            self._http = _Server(("127.0.0.1", port), _handler(self))
        except OSError:
            self._folder.cleanup()
            raise
        self._thread = Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def behave(self, script: Script) -> None:
        """Use another script from now on."""
        self.chat.follow(script)

    def hurry(self) -> None:
        """Let no batch take longer than its lines need."""
        self.batches.hurry()

    def close(self) -> None:
        self.batches.stop()
        self._http.server_close()
        self._folder.cleanup()

    def __enter__(self) -> AnnotatorServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self.close()

    def accepts(self, authorization: str) -> bool:
        """Whether a request has a key, and the right one if one is set."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return False
        wanted = self._manners.key
        return not wanted or hmac.compare_digest(given.strip().encode(), wanted.encode())

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> HttpReply:
        """The response to a request with a valid key."""
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        match method, *parts:
            case "POST", "v1", "chat", "completions":
                return self.chat.live(body)
            case "GET", "v1", "models":
                names = self._manners.models or ("drawn-world-annotator",)
                models = [{"id": name, "object": "model", "created": 0} for name in names]
                return self._noted("models", lambda rule: json_reply(_list(models)))
            case "POST", "v1", "files":
                return self._noted(
                    "upload", lambda rule: self.files.upload(content_type, body), len(body)
                )
            case "GET", "v1", "files", file:
                return self._noted("file", lambda rule: self.files.describe(file))
            case "DELETE", "v1", "files", file:
                return self._noted("delete", lambda rule: self.files.delete(file))
            case "GET", "v1", "files", file, "content":
                return self._noted("content", lambda rule: self.files.content(file))
            case "POST", "v1", "batches":
                return self._noted("create", lambda rule: self.batches.create(body, rule))
            case "GET", "v1", "batches":
                query = parse_qs(url.query)
                return self._noted("list", lambda rule: self.batches.page(query))
            case "GET", "v1", "batches", batch:
                return self._noted("poll", lambda rule: self.batches.describe(batch))
            case "POST", "v1", "batches", batch, "cancel":
                return self._noted("cancel", lambda rule: self.batches.cancel(batch))
            case "GET", "journal":
                return json_reply(self.journal.summary())
        return error_reply(404, f"Invalid URL ({method} {url.path})", "unknown_url")

    def _noted(
        self, route: str, act: Callable[[ScriptRule | None], HttpReply], size: int = 0
    ) -> HttpReply:
        """Execute a request as the script says, and record it.

        On a transport fault it is still executed, but the client gets no response.
        """
        number = self.journal.number(route)
        rule = self.chat.director.rule(route, number, f"{route}/{number}", 0, "", "")
        lost = failure(rule) if rule else None
        if lost is None or lost.cut_at is not None:
            reply = act(rule)
            if lost is not None:
                reply = lost
            elif rule is not None and rule.do is ScriptedFault.DROP:
                reply = replace(reply, cut_at=reply.length() // 2)
            elif rule is not None and rule.do is ScriptedFault.TRUNCATED:
                reply = replace(reply, body=reply.body[: len(reply.body) // 2])
            elif rule is not None and rule.do is ScriptedFault.SLOW:
                reply = replace(reply, wait_s=rule.seconds)
        else:
            reply = lost
        fault = rule.do.value if rule else ""
        self.journal.write(JournalEntry(route, number, reply.status, fault=fault, size=size))
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    #: Clients open dozens of connections at once.
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client disconnecting midway is normal; anything else is a bug."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: AnnotatorServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            with server.journal.under_way():
                reply = self._reply()
                time.sleep(reply.wait_s)
            # Sent after counting: the client may ask again at once.
            self._send(reply)

        do_GET = do_POST = do_DELETE = _serve

        def _reply(self) -> HttpReply:
            length = self.headers.get("Content-Length", "0")
            if not length.isdecimal() or int(length) > MAX_BODY:
                self.close_connection = True
                return error_reply(413, f"The body may have at most {MAX_BODY} bytes")
            body = self.rfile.read(int(length))
            if self.path != "/journal" and not server.accepts(
                self.headers.get("Authorization", "")
            ):
                server.journal.write(JournalEntry("key", server.journal.number("key"), 401))
                return error_reply(401, "Incorrect API key provided", "invalid_api_key")
            kind = self.headers.get("Content-Type", "")
            return server.answer(self.command, self.path, kind, body)

        def _send(self, reply: HttpReply) -> None:
            if reply.cut_at is not None and reply.cut_at < 0:
                self._hang_up()
                return
            headers = {
                "Content-Type": reply.content_type,
                "Content-Length": str(reply.length()),
                **reply.headers,
            }
            phrase = responses.get(reply.status, "")
            lines = [f"HTTP/1.1 {reply.status} {phrase}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            head = "\r\n".join([*lines, "", ""]).encode()
            for piece in reply.pieces():
                # Head and body in one write: two would wait for the client's acknowledgement.
                self.wfile.write(head + piece[: reply.cut_at])
                head = b""
            if head:
                self.wfile.write(head)
            if reply.cut_at is not None:
                self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": items}
