"""A Markdown text as a plain, readable HTML page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from PIL import Image

from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.pages.boxes import AnswerToFind, place_of
from pixel_core.data.sources.pages.questions import MARKDOWN
from pixel_core.data.sources.pages.sandbox import Sandbox, address
from pixel_core.media.picture_facts import check_shown
from pixel_core.media.picture_zip import PictureFault
from pixel_core.nesting import TooDeep
from pixel_core.records import Box

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


#: Tables and fenced code as on GitHub; lists that don't run into one another.
_EXTENSIONS = ("tables", "fenced_code", "sane_lists")

#: Nested lists and quotations. The parser recurses, several frames per level.
_MAX_LEVELS = 40
_INDENT = 4


def html_of(text: str) -> str:
    """A whole document. HTML in the text stays as it is: the renderer must not trust it more
    than any other page. ``TooDeep`` for a text that may nest deeper than ``_MAX_LEVELS``."""
    import markdown

    deepest = max(map(_levels, text.splitlines()), default=0)
    if deepest > _MAX_LEVELS:
        raise TooDeep(deepest, _MAX_LEVELS)
    body = markdown.markdown(text, extensions=list(_EXTENSIONS), output_format="html")
    style = files("pixel_core.data.sources").joinpath("pages_markdown.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">\n'
        f"<style>\n{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _levels(line: str) -> int:
    """The depth of lists and quotations that a line may have."""
    begin = line.expandtabs(_INDENT)
    rest = begin.lstrip(" >")
    lead = begin[: len(begin) - len(rest)]
    return lead.count(">") + len(lead.replace(">", "")) // _INDENT


# Renders one page: its picture, and the positions of the answers on it.


#: Pixels; Chromium can hardly paint a taller page in one piece, and no model sees more.
MAX_HEIGHT = 16_000
#: Height of the layout window; it matters to pages that use it as a unit.
WINDOW_HEIGHT = 800
MAX_PAGE_BYTES = 5 * 1024 * 1024
#: Milliseconds for loading a page, and for painting it.
PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """``places``: each answer's box in pixels of the picture, or the reason for none."""

    png: bytes
    width: int
    height: int
    places: tuple[Box | PictureFault, ...]
    #: The page requested something outside its folder, or something missing.
    incomplete: bool


class BrowserDied(Exception):
    """The browser, or the page's process in it, ended during rendering."""


def render(
    browser: Browser, folder: Folder, name: str, width: int, wanted: Sequence[AnswerToFind]
) -> Rendered:
    """Raises ``PictureFault`` for a page that can't be rendered, ``BrowserDied``, and
    ``StorageError`` if the folder can't be read."""
    from playwright.sync_api import Error, TimeoutError

    sandbox = Sandbox(folder, name, _document(folder, name))
    crashes: list[Page] = []
    try:
        with browser.new_context(**_context(width)) as context:
            page = context.new_page()
            page.on("crash", lambda crashed: crashes.append(crashed))
            page.set_default_timeout(PATIENCE_MS)
            sandbox.guard(page)
            page.goto(address(name), wait_until="load")
            png, height, places = _painted(page, width, wanted)
    except Error as error:
        first = error.message.partition("\n")[0]
        if crashes or not browser.is_connected() or "has been closed" in first:
            raise BrowserDied(first) from error
        if not isinstance(error, TimeoutError) and "net::" not in first:
            raise  # not the page's fault
        raise PictureFault(
            f"was not shown within {PATIENCE_MS // 1000} s ({first})",
            "make the page simpler, or leave it out",
        ) from error
    if sandbox.failure is not None:
        raise sandbox.failure
    return Rendered(png, width, height, places, sandbox.refused)


def _context(width: int) -> dict[str, Any]:
    """A browser profile for one page: no scripts, no animation, nothing kept."""
    return {
        "accept_downloads": False,
        "color_scheme": "light",
        "device_scale_factor": 1,
        "java_script_enabled": False,
        "locale": "en-US",
        "reduced_motion": "reduce",
        "service_workers": "block",
        "timezone_id": "UTC",
        "viewport": {"width": width, "height": WINDOW_HEIGHT},
    }


def _document(folder: Folder, name: str) -> bytes:
    data = folder.read(name)
    if len(data) > MAX_PAGE_BYTES:
        raise PictureFault(f"has {len(data)} bytes", f"keep pages under {MAX_PAGE_BYTES} bytes")
    if not name.lower().endswith(MARKDOWN):
        return data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PictureFault("is not UTF-8", "save the page as UTF-8") from error
    try:
        return html_of(text).encode()
    except TooDeep as error:
        raise PictureFault(
            f"is no readable page ({error})", "indent its lists and quotations less"
        ) from error


def _painted(
    page: Page, width: int, wanted: Sequence[AnswerToFind]
) -> tuple[bytes, int, tuple[Box | PictureFault, ...]]:
    page.evaluate(
        files("pixel_core.data.sources").joinpath("pages_answer.js").read_text("utf-8")
    )
    page.evaluate("() => pageAnswers.still()")
    height = page.evaluate("() => pageAnswers.height()")
    if height > MAX_HEIGHT:
        raise PictureFault(
            f"is {height} pixels high, allowed are {MAX_HEIGHT}",
            "split the page, or leave it out",
        )
    if height < 1:
        raise PictureFault("shows nothing", "write something on it, or leave it out")
    check_shown(width, height)
    png = _screenshot(page, width, height)
    found = [
        page.evaluate(
            "([answer, occurrence, size]) => pageAnswers.find(answer, occurrence, size)",
            [one.answer, one.occurrence, {"width": width, "height": height}],
        )
        for one in wanted
    ]
    page.evaluate("() => pageAnswers.hide()")
    with (
        Image.open(io.BytesIO(png)) as picture,
        Image.open(io.BytesIO(_screenshot(page, width, height))) as without,
    ):
        shown, hidden = picture.convert("RGB"), without.convert("RGB")
    places = tuple(
        place_of(one, answer, shown, hidden) for one, answer in zip(wanted, found, strict=True)
    )
    return png, height, places


def _screenshot(page: Page, width: int, height: int) -> bytes:
    return page.screenshot(
        animations="disabled",
        caret="hide",
        clip={"x": 0, "y": 0, "width": width, "height": height},
        full_page=True,
        scale="css",
        type="png",
    )
