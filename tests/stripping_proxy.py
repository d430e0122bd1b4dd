"""A small proxy that puts a server under a prefix, as nginx with a path in proxy_pass does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

_OF_THE_CONNECTION = ("connection", "transfer-encoding", "keep-alive")


@contextmanager
def proxied(url: str, prefix: str, *, strips: bool = True) -> Iterator[str]:
    """The address under which ``url`` is reached. Passes on Host; what comes is handed on as it
    comes. Other paths than those below the prefix are 404."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            if not (self.path + "/").startswith(prefix + "/"):
                self.send_error(404)
                return
            path = self.path.removeprefix(prefix) if strips else self.path
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = [
                (name, value)
                for name, value in self.headers.items()
                if name.lower() not in _OF_THE_CONNECTION
            ]
            with httpx.stream(
                self.command, url + (path or "/"), content=body, headers=headers, timeout=60
            ) as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name not in _OF_THE_CONNECTION:
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                for piece in answer.iter_raw():
                    self.wfile.write(piece)
                    self.wfile.flush()

        do_GET = do_POST = do_OPTIONS = do_HEAD = _pass_on

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
