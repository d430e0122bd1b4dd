"""What a page may ask for while it is rendered: itself, and files of its own folder."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from pixel_core.data.sources.folder import Folder, is_hidden
from pixel_core.errors import DataError, StorageError

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

#: A host of no network (RFC 6761), under which the folder is seen by its pages.
_HOST = "pages.invalid"

#: A style sheet or picture larger than this is not given to a page.
MAX_FILE_BYTES = 64 * 1024 * 1024


def address(name: str) -> str:
    """Where the page of that name is opened."""
    return f"http://{_HOST}/{quote(name)}"


class Sandbox:
    """Answers all requests of one page from the folder, and refuses everything else."""

    def __init__(self, folder: Folder, name: str, document: bytes) -> None:
        self._folder = folder
        self._name = name
        self._document = document
        self._opened = False
        #: Whether the page asked for something it did not get.
        self.refused = False
        #: The storage failed while the page was served: what it shows means nothing.
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
            # A page that wants to lead elsewhere stays as it is: "failed" would show an error.
            route.abort("aborted")
            return
        name, content = data
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        route.fulfill(status=200, content_type=kind, body=content)

    def _file(self, request: Request) -> tuple[str, bytes] | None:
        """The folder's file under a requested address; None where there is none to give."""
        parts = urlsplit(request.url)
        # What plays would show another frame each time.
        if parts.netloc != _HOST or request.method != "GET" or request.resource_type == "media":
            return None
        name = unquote(parts.path).lstrip("/")
        if is_hidden(name):  # no part of the folder's content, see ``PagesSource``
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
    """UTF-8 where it is that; else the page's own word, or the browser's guess, decides."""
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        return "text/html"
    return "text/html; charset=utf-8"
