"""What rendering pages needs, asked before a run begins."""

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


# Finding a Chromium and starting it so that the same page makes the same pixels.


#: Names that a Chromium goes by on a PATH.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Of the environment, what a browser needs to start and to find fonts; no secrets.
_PASSED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_PASSED_PREFIXES = ("XDG_", "FONTCONFIG_")

_ARGUMENTS = (
    # Pixels that don't hang on the screen, the graphics card or the clock.
    "--disable-gpu",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--disable-partial-raster",
    "--blink-settings=imageAnimationPolicy=2",  # animated pictures show their first frame
    # Requests are refused one by one (``pages_rendering``); no name can be looked up either.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--dns-prefetch-disable",
    "--no-pings",
)


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium: that of ``PIXEL_BROWSER``, else Playwright's own, else the PATH's.

    Pages are untrusted, so its sandbox is on, except for root, for whom there is none, and
    under ``PIXEL_BROWSER_SANDBOX=off`` (in containers that forbid user namespaces). Raises
    ``ConfigError`` when there is no browser or it does not start.
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
    """The browser's path, where it is not Playwright's own; None when there is none."""
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


# The browser that renders all pages, one after the other, and is started again if it dies.


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


def check(config: PipelineConfig) -> None:
    """Start the browser once when pages are ingested: without one, work on the other
    sources would be lost. Raises ``ConfigError``, or ``DataError`` without a folder."""
    if "pages" not in config.ingest.sources:
        return
    # Imported here: other sources' runs have no use for them.
    from pixel_core.data.sources.folder import Folder

    pages = config.ingest.pages
    with PageRenderer(Folder(pages.path, setting="ingest.pages.path"), pages.width):
        pass
