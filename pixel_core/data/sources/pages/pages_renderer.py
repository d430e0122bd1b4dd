"""The browser that renders all pages, one after the other, and is started again if it dies."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.pages.boxes import AnswerToFind
from pixel_core.data.sources.pages.pages_browser import launch
from pixel_core.data.sources.pages.pages_rendering import BrowserDied, Rendered, render
from pixel_core.media.picture_fault import PictureFault

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

#: Times a page is tried when the browser dies of it, or beside it.
_TRIES = 2

_log = logging.getLogger(__name__)


class PageRenderer:
    """One Chromium for the length of a ``with`` block.

    Playwright's synchronous form keeps an event loop in its thread, which would upset other
    users of one, so it has a thread to itself.
    """

    def __init__(self, folder: Folder, width: int) -> None:
        self._folder = folder
        self._width = width
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")

    def __enter__(self) -> PageRenderer:
        """Raises ``ConfigError`` when there is no browser, or it does not start."""
        try:
            self._thread.submit(self._start).result()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    @property
    def version(self) -> str:
        """The browser's, such as "140.0.7339.16"."""
        assert self._browser is not None
        return self._browser.version

    def render(self, name: str, wanted: Sequence[AnswerToFind]) -> Rendered:
        """Raises ``PictureFault`` for a page that can't be rendered, ``StorageError`` when the
        folder can't be read."""
        return self._thread.submit(self._render, name, wanted).result()

    def _render(self, name: str, wanted: Sequence[AnswerToFind]) -> Rendered:
        for attempt in range(1, _TRIES + 1):
            try:
                assert self._browser is not None
                return render(self._browser, self._folder, name, self._width, wanted)
            except BrowserDied as error:
                self._stop()
                self._start()
                if attempt == _TRIES:
                    raise PictureFault(
                        f"ends the browser, {_TRIES} times ({error})",
                        "make the page simpler, or leave it out",
                    ) from error
                _log.warning("the browser died at %s (%s); it is started again", name, error)
        raise AssertionError("the last attempt returns or raises")

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = launch(self._playwright)

    def _stop(self) -> None:
        from playwright.sync_api import Error

        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        try:
            if browser is not None:
                browser.close()
        except Error as error:  # it died before: there is nothing left to close
            _log.debug("the browser was gone: %s", error)
        finally:
            if playwright is not None:
                playwright.stop()
