"""Finding a Chromium and starting it so that the same page makes the same pixels."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pixel_core.errors import ConfigError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

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
