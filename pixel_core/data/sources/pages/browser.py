"""The browser that renders pages, and the preflight check that it is there."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

from pixel_core.config import PipelineConfig
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.pages.boxes import AnswerToFind
from pixel_core.data.sources.pages.rendering import BrowserDied, Rendered, render
from pixel_core.errors import ConfigError
from pixel_core.media.picture_zip import PictureFault

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright


# Finding a Chromium and starting it so that the same page gives the same pixels.


#: Names of Chromium's executable on a PATH.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Environment variables that a browser needs to start and to find fonts; no secrets.
_PASSED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_PASSED_PREFIXES = ("XDG_", "FONTCONFIG_")

_ARGUMENTS = (
    # Pixels that don't depend on the screen, the graphics card or the clock.
    "--disable-gpu",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--disable-partial-raster",
    "--blink-settings=imageAnimationPolicy=2",  # animations show their first frame
    # Requests are refused one by one (``sandbox``); name resolution is blocked as well.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--dns-prefetch-disable",
    "--no-pings",
)


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium: that of ``PIXEL_BROWSER``, else Playwright's own, else the PATH's.

    Pages are untrusted, so Chromium's sandbox is on, except as root, where it is not
    available, and under ``PIXEL_BROWSER_SANDBOX=off`` (for containers that forbid user
    namespaces). Raises ``ConfigError`` if there is no browser or it does not start.
    """
    from playwright.sync_api import Error

    named = os.environ.get("PIXEL_BROWSER", "")
    try:
        if not named:
            return _started(playwright, None)
    except Error as error:
        if "Executable doesn't exist" not in error.message:
            raise _would_not_start("Playwright's own browser", error) from error
    path = find()
    if path is None:
        raise ConfigError(
            f"PIXEL_BROWSER {named!r} is no program; set it to a Chromium's path"
            if named
            else "pages are rendered in Chromium, and none was found; run `playwright install "
            "chromium`, install your system's chromium, or set PIXEL_BROWSER to its path"
        )
    try:
        return _started(playwright, path)
    except Error as error:
        raise _would_not_start(path, error) from error


def find() -> str | None:
    """The browser's path if it is not Playwright's own; None if there is none."""
    if named := os.environ.get("PIXEL_BROWSER"):
        return shutil.which(named)
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def _started(playwright: Playwright, path: str | None) -> Browser:
    sandbox = os.geteuid() != 0 and os.environ.get("PIXEL_BROWSER_SANDBOX") != "off"
    passed: dict[str, str | float | bool] = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    return playwright.chromium.launch(
        executable_path=path, args=list(_ARGUMENTS), chromium_sandbox=sandbox, env=passed
    )


def _would_not_start(which: str, error: Exception) -> ConfigError:
    first = str(error).strip().partition("\n")[0]
    return ConfigError(
        f"{which} does not start ({first}); try it by hand, set PIXEL_BROWSER to another, or "
        "where its sandbox is not allowed, PIXEL_BROWSER_SANDBOX=off"
    )


# One browser renders all pages in turn, and is restarted if it dies.


#: Attempts at a page if the browser dies during its rendering.
_TRIES = 2

_log = logging.getLogger(__name__)


class PageRenderer:
    """One Chromium for the duration of a ``with`` block.

    Playwright's synchronous API keeps an event loop in its thread, which would disturb other
    users of one, so it gets its own thread.
    """

    def __init__(self, folder: Folder, width: int) -> None:
        self._folder = folder
        self._width = width
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")

    def __enter__(self) -> PageRenderer:
        """Raises ``ConfigError`` if there is no browser, or it does not start."""
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
        """The browser's version, such as "140.0.7339.16"."""
        assert self._browser is not None
        return self._browser.version

    def render(self, name: str, wanted: Sequence[AnswerToFind]) -> Rendered:
        """Raises ``PictureFault`` for a page that can't be rendered, ``StorageError`` if the
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
        except Error as error:  # it died earlier: nothing to close
            _log.debug("the browser was gone: %s", error)
        finally:
            if playwright is not None:
                playwright.stop()


def check(config: PipelineConfig) -> None:
    """Start the browser once if pages are ingested: without one, work on the other sources
    would be lost. Raises ``ConfigError``, or ``DataError`` without a folder."""
    if "pages" not in config.ingest.sources:
        return
    # Imported here: runs of other sources don't need them.
    from pixel_core.data.sources.folder import Folder

    pages = config.ingest.pages
    with PageRenderer(Folder(pages.path, setting="ingest.pages.path"), pages.width):
        pass
