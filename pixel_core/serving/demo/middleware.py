"""Restricts requests to the page: its own paths, hosts and sizes, and no fetching.

Gradio serves more than this page needs: it fetches URLs for visitors, proxies requests and
lists its functions. Only requests that the page itself makes are answered here.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pixel_core.errors import MediaError
from pixel_core.nesting import loads
from pixel_core.serving.http.origins import RootPath

# Visitors' uploads: the only files of this machine that a question may name.
#
# Gradio refers to a picture by its path, and any client can send any path. When the page is
# mounted in another application, Gradio itself checks none.


#: The same text whether or not the file exists, so that it reveals nothing.
NOT_UPLOADED = "only a file that was uploaded on this page can be asked about: upload it again"


class Uploads:
    """``folder``: where uploads lie; it contains nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def holds(self, path: str) -> bool:
        """Whether this path, its links followed, is below the folder; not whether it exists."""
        try:
            return self._folder in Path(path).resolve().parents
        except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a symlink loop
            return False

    def path(self, path: str) -> Path:
        """The uploaded file. ``MediaError`` if it is not an upload or is gone."""
        found = Path(path)
        if not self.holds(path) or not found.is_file():
            raise MediaError(NOT_UPLOADED)
        return found

    def named_alone(self, body: bytes) -> bool:
        """Whether a request's JSON names only uploaded files; False for invalid JSON."""
        others: list[str] = []

        def look(pairs: list[tuple[str, Any]]) -> None:
            # All pairs, since parsers differ in which of two equal keys wins.
            others.extend(
                str(value)
                for key, value in pairs
                if key == "path" and value is not None and not self.holds(str(value))
            )

        try:
            loads(body, object_pairs_hook=look)
        except ValueError:
            return False
        return not others

    def size(self) -> int:
        """Total bytes of the uploads."""
        total = 0
        for place, _, names in os.walk(self._folder):
            for name in names:
                with suppress(OSError):  # removed meanwhile
                    total += os.stat(os.path.join(place, name)).st_size
        return total


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Largest body of a request other than an upload: a question naming its files.
_BODY = 1_000_000

_PATHS = re.compile(
    r"/|/(?:config|theme\.css|manifest\.json|favicon\.ico|robots\.txt)"
    r"|/(?:assets|static)/.*"
    r"|/gradio_api/(?:info|startup-events|app_id|upload|upload_progress|cancel|reset)/?"
    r"|/gradio_api/(?:queue/join|queue/data|heartbeat/[A-Za-z0-9_-]+)"
    r"|/gradio_api/file=(?!/*[A-Za-z][A-Za-z0-9+.-]*:).*",
    re.DOTALL,
)
_UPLOAD = "/gradio_api/upload"
_JOIN = "/gradio_api/queue/join"
_FILE = "/gradio_api/file="
_LEFT: Message = {"type": "http.disconnect"}

_HEADERS = {
    # 'unsafe-eval': Gradio fills its HTML fields with compiled templates. Nothing is loaded
    # from or sent to another host, whatever a model writes.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' "
    "'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src "
    "'self' data:; connect-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri "
    "'self'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?")


class DemoMiddleware:
    """ASGI middleware. ``upload``: bytes of the largest upload; ``room``: of all ``uploads``
    together. ``only_here``: accept only this machine's own host names, so that another site
    can't direct a browser here under its name, and the name in ``root``, which a proxy
    uses."""

    def __init__(
        self,
        app: App,
        uploads: Uploads,
        *,
        upload: int,
        room: int,
        only_here: bool,
        root: RootPath,
    ) -> None:
        self._app = app
        self._uploads = uploads
        self._upload = upload
        self._room = room
        #: Bytes of uploads in progress.
        self._coming = 0
        self._only_here = only_here
        self._root = root
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        scope = self._root.inside(scope)
        refused = self._refused(scope)
        if refused is not None:
            await _answer(send, *refused)
            return
        if scope["path"].rstrip("/") == _JOIN:
            body = await self._body(receive)
            if not self._uploads.named_alone(body):
                await _answer(send, 403, NOT_UPLOADED)
                return
            receive = _again(body, receive)
        coming = _length(scope) if _is_upload(scope) else 0
        self._coming += coming
        try:
            await self._app(scope, lambda: self._first(receive), _with_headers(send))
        finally:
            self._coming -= coming

    def close(self) -> None:
        """Tell remaining listeners that the visitor left, so that endless responses (a page's
        heartbeat) end. Called in the server's own loop."""
        self._closing.set()

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        proxied = bool(host) and host.lower() == self._root.host
        if self._only_here and not proxied and not _LOOPBACK.fullmatch(host):
            return 421, "this page is asked for as localhost"
        # Many proxies send the server's own name, whatever the browser requested.
        through = (
            bool(self._root.origin) and headers.get(b"origin") == self._root.origin.encode()
        )
        if not through and _from_elsewhere(scope, headers, host):
            return 403, "another site may send nothing here"
        path = scope["path"]
        if not _PATHS.fullmatch(path):
            return 404, "there is nothing here"
        if path.startswith(_FILE) and not self._uploads.holds(path.removeprefix(_FILE)):
            return 403, NOT_UPLOADED
        if b"transfer-encoding" in headers:  # browsers send a length
            return 411, "say how many bytes are sent"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most(scope):
            return 413, f"at most {self._most(scope):,} bytes are taken"
        if _is_upload(scope) and self._uploads.size() + self._coming + int(length) > self._room:
            return 503, "too many uploads lie here: try again later, or with a smaller file"
        return None

    async def _body(self, receive: Receive) -> bytes:
        """The body of a request whose length was checked; partial if the sender left."""
        held = bytearray()
        while (message := await self._first(receive))["type"] == "http.request":
            held += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return bytes(held)

    async def _first(self, receive: Receive) -> Message:
        """The next message or the shutdown, whichever comes first."""
        message = asyncio.ensure_future(receive())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({message, closing}, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else _LEFT
        finally:
            message.cancel()
            closing.cancel()

    def _most(self, scope: Scope) -> int:
        return self._upload if _is_upload(scope) else _BODY


def _is_upload(scope: Scope) -> bool:
    return bool(scope["path"].rstrip("/") == _UPLOAD)


def _length(scope: Scope) -> int:
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


def _from_elsewhere(scope: Scope, headers: dict[bytes, bytes], host: str) -> bool:
    """Whether the browser says another site's page made this request. Links here are fine."""
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").partition("://")[2] != host.lower():
        return True
    follows = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate"
    return headers.get(b"sec-fetch-site") == b"cross-site" and not follows


def _again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that replays a body already read, then continues with the original."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return sent


async def _answer(send: Send, status: int, text: str) -> None:
    head = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text.encode()})
