"""Restricts a page's requests during rendering to itself and files of its folder."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from pixel_core.data.sources.folder import Folder, is_hidden
from pixel_core.errors import DataError, StorageError

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

#: A host that exists on no network (RFC 6761); the folder is served under it.
_HOST = "pages.invalid"

#: Larger style sheets or pictures are not served to a page.
MAX_FILE_BYTES = 64 * 1024 * 1024


def address(name: str) -> str:
    """The URL of the page of that name."""
    return f"http://{_HOST}/{quote(name)}"


class Sandbox:
    """Serves one page's requests from the folder, and refuses all others."""

    def __init__(self, folder: Folder, name: str, document: bytes) -> None:
        self._folder = folder
        self._name = name
        self._document = document
        self._opened = False
        #: Whether a request of the page was refused.
        self.refused = False
        #: The storage failed while the page was served: its rendering is void.
        self.failure: StorageError | None = None

    def guard(self, page: Page) -> None:
        page.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        main = request.is_navigation_request() and request.frame.parent_frame is None
        if main and not self._opened and request.url == address(self._name):
            self._opened = True
            route.fulfill(
                status=200,
                content_type=_html_type(self._document),
                body=self._document,
            )
            return
        data = None if main else self._file(request)
        if data is None:
            self.refused = True
            # A page that tries to navigate away stays: "failed" would show an error page.
            route.abort("aborted")
            return
        name, content = data
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        route.fulfill(status=200, content_type=kind, body=content)

    def _file(self, request: Request) -> tuple[str, bytes] | None:
        """The folder's file under a requested URL; None if there is none to serve."""
        parts = urlsplit(request.url)
        # Media would show another frame each time.
        if parts.netloc != _HOST or request.method != "GET" or request.resource_type == "media":
            return None
        name = unquote(parts.path).lstrip("/")
        if is_hidden(name):  # not part of the folder's content, see ``PagesSource``
            return None
        try:
            listed = self._folder.find(name)
            if listed is None or listed.size > MAX_FILE_BYTES:
                return None
            return name, self._folder.read(name)
        except DataError:
            return None
        except StorageError as error:
            self.failure = error
            return None


def _html_type(document: bytes) -> str:
    """UTF-8 if it is valid as such; otherwise the page's declaration or the browser decides."""
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        return "text/html"
    return "text/html; charset=utf-8"
