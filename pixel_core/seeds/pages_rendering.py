"""One page in the browser: its picture, and where on it the answers stand."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops

from pixel_core.records import Box
from pixel_core.seeds.folder import Folder
from pixel_core.seeds.manifest_fault import Fault
from pixel_core.seeds.pages_markdown import html_of
from pixel_core.seeds.pages_records import MARKDOWN
from pixel_core.seeds.pages_sandbox import Sandbox, address

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Pixels; Chromium can't paint much higher in one piece, and no model sees more.
MAX_HEIGHT = 16_000
#: Of the window that a page is laid out in; it matters to pages that measure by it.
WINDOW_HEIGHT = 800
MAX_PAGE_BYTES = 5 * 1024 * 1024
#: Milliseconds a page may take to load, and to be painted.
PATIENCE_MS = 60_000

#: The share of an answer's area that must not be cut off.
_WHOLE = 0.9
#: A change of a colour channel (of 255) that is ink, not noise.
_INK = 16
#: Pixels that letters may reach over their line's box.
_REACH = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer to find; ``occurrence`` counts from 1, None: it must stand there once."""

    answer: str
    occurrence: int | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """``places`` has each wanted answer's box in pixels of the picture, or why it has none."""

    png: bytes
    width: int
    height: int
    places: tuple[Box | Fault, ...]
    #: The page asked for something from outside its folder, or that is not there.
    incomplete: bool


class BrowserDied(Exception):
    """The browser, or the page's process in it, ended while it rendered."""


def render(
    browser: Browser, folder: Folder, name: str, width: int, wanted: Sequence[Wanted]
) -> Rendered:
    """Raises ``Fault`` for a page that can't be rendered, ``BrowserDied``, and
    ``StorageError`` when the folder can't be read."""
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
            raise  # not the page's doing
        raise Fault(
            f"was not shown within {PATIENCE_MS // 1000} s ({first})",
            "make the page simpler, or leave it out",
        ) from error
    if sandbox.failure is not None:
        raise sandbox.failure
    return Rendered(png, width, height, places, sandbox.refused)


def _context(width: int) -> dict[str, Any]:
    """One page's own browser profile, in which nothing runs, moves or is remembered."""
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
        raise Fault(f"has {len(data)} bytes", f"keep pages under {MAX_PAGE_BYTES} bytes")
    if not name.lower().endswith(MARKDOWN):
        return data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Fault("is not UTF-8", "save the page as UTF-8") from error
    return html_of(text).encode()


def _painted(
    page: Page, width: int, wanted: Sequence[Wanted]
) -> tuple[bytes, int, tuple[Box | Fault, ...]]:
    page.evaluate(files("pixel_core.seeds").joinpath("pages_answer.js").read_text("utf-8"))
    page.evaluate("() => pageAnswers.still()")
    height = page.evaluate("() => pageAnswers.height()")
    if height > MAX_HEIGHT:
        raise Fault(
            f"is {height} pixels high, allowed are {MAX_HEIGHT}",
            "split the page, or leave it out",
        )
    if height < 1:
        raise Fault("shows nothing", "write something on it, or leave it out")
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
        _place(one, answer, shown, hidden) for one, answer in zip(wanted, found, strict=True)
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


def _place(
    wanted: Wanted, found: dict[str, Any], shown: Image.Image, hidden: Image.Image
) -> Box | Fault:
    if not found["count"]:
        if found["hidden"]:
            return Fault(
                "is in the page's text but can't be seen there",
                "make it visible, or leave the record out",
            )
        return Fault("is not in the page's text", "write it as the page does")
    if "rects" not in found:
        times = "once" if found["count"] == 1 else f"{found['count']} times"
        if wanted.occurrence is None:
            return Fault(
                f"stands on the page {times}",
                'say which is meant: "occurrence": 1 is the first',
            )
        return Fault(
            f"stands on the page {times}, not {wanted.occurrence}", "mend its occurrence"
        )
    if found["share"] < _WHOLE:
        return Fault("is cut off on the page", "widen ingest.pages.width, or mend the page")
    box = _around(found["rects"], shown.size)
    inked: Box | None = box
    if not found["painted"]:
        inked = _with_ink(box, shown, hidden)
    elif all(high - low <= _INK for low, high in _extremes(shown, box)):
        # A highlight does not take this text's ink away, but there is but one colour.
        inked = None
    if inked is None:
        return Fault(
            "is on the page but can't be seen there: covered, or of its background's colour",
            "make it visible, or leave the record out",
        )
    return inked


def _around(rects: list[list[float]], size: tuple[int, int]) -> Box:
    """The smallest box of whole pixels around rectangles (x1, y1, x2, y2) in the picture."""
    x1, y1, x2, y2 = zip(*rects, strict=True)
    return _clamped(
        (math.floor(min(x1)), math.floor(min(y1)), math.ceil(max(x2)), math.ceil(max(y2))),
        size,
    )


def _with_ink(box: Box, shown: Image.Image, hidden: Image.Image) -> Box | None:
    """The box, widened where letters reach over it (slanted ones, long descenders); None
    when there is no ink in it."""
    near = _clamped(
        (box.x1 - _REACH, box.y1 - _REACH, box.x2 + _REACH, box.y2 + _REACH), shown.size
    )
    changed = ImageChops.difference(shown.crop(near.as_tuple()), hidden.crop(near.as_tuple()))
    bands = [band.point(lambda value: 255 * (value > _INK)) for band in changed.split()]
    ink = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2]).getbbox()
    if ink is None:
        return None
    x1, y1, x2, y2 = ink
    return Box(
        x1=min(box.x1, near.x1 + x1),
        y1=min(box.y1, near.y1 + y1),
        x2=max(box.x2, near.x1 + x2),
        y2=max(box.y2, near.y1 + y2),
    )


def _clamped(edges: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = edges
    return Box(x1=max(0, x1), y1=max(0, y1), x2=min(size[0], x2), y2=min(size[1], y2))


def _extremes(image: Image.Image, box: Box) -> list[tuple[int, int]]:
    """The least and the greatest value of each channel of an RGB image in a box."""
    return [channel.getextrema() for channel in image.crop(box.as_tuple()).split()]  # type: ignore[misc]
