"""The page in a real headless Chromium, opened from a file."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from run_folders import HOSTILE

from pixel_core.workflow.stage import StageContext

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Visit:
    """An open page, with what it complained of and what it asked the network for."""

    def __init__(self, browser: Browser, context: StageContext, width: int, scheme: str):
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto((context.out / "report.html").as_uri())


@pytest.fixture(scope="module")
def visit(browser: Browser, context: StageContext) -> Visit:
    return Visit(browser, context, 1280, "light")


def colours(page: Page, selector: str) -> int:
    """How many colours a screenshot of the first match shows."""
    shot = page.locator(selector).first.screenshot()
    found = Image.open(io.BytesIO(shot)).convert("RGB").getcolors(1 << 20)
    assert found is not None
    return len(found)


def test_nothing_is_complained_of_and_nothing_is_fetched(visit: Visit) -> None:
    assert visit.complaints == []
    assert [url[:40] for url in visit.requests if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in visit.requests) == 1


def test_what_a_model_wrote_is_text(visit: Visit) -> None:
    page = visit.page
    assert page.title() == "Pixel Reasoner · drawn"
    assert page.locator("script").count() == 0
    assert page.locator("#bold").count() == 0
    said = page.locator(".episode.warm_start .said").all_inner_texts()
    assert HOSTILE in said, "the text is shown, word for word"
    assert HOSTILE in page.locator(".health li").first.inner_text()


def test_pictures_boxes_and_crops_are_drawn(visit: Visit) -> None:
    page = visit.page
    broken = page.evaluate(
        "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
    )
    assert broken == 0
    assert page.locator(".trajectory .cutting img").count() >= 6
    assert page.locator(".trajectory .mark.wrong").count() >= 3
    assert page.locator(".trajectory .mark.cue").count() >= 4
    assert page.locator(".episode.policy .mark.look").count() >= 1
    # A picture that did not load leaves a plain ground: one colour and a few edges.
    assert colours(page, ".trajectory svg.shot") > 150
    assert colours(page, ".episode svg.shot") > 150


def test_curves_are_drawn_in_the_pages_own_colours(visit: Visit) -> None:
    page = visit.page
    assert page.locator("#training svg.chart path").count() > 40
    line = page.evaluate(
        """[...document.querySelectorAll('#training svg.chart path')]
           .map(path => getComputedStyle(path).stroke).filter(s => s === 'rgb(36, 99, 216)')
           .length"""
    )
    assert line > 0, "series colours must come from the page's variables"
    unique = page.evaluate(
        """(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
           return ids.length - new Set(ids).size; })()"""
    )
    assert unique == 0, "ids of several charts must not collide"


def test_every_picture_says_what_it_shows_and_every_table_has_headers(visit: Visit) -> None:
    unnamed = visit.page.evaluate(
        """[...document.querySelectorAll('img, svg[role=img]')]
           .filter(e => !(e.alt || e.getAttribute('aria-label'))).length"""
    )
    assert unnamed == 0
    tables = visit.page.locator("table")
    assert tables.count() >= 6
    for n in range(tables.count()):
        assert tables.nth(n).locator("th[scope=col]").count() >= 3


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1600, "dark")])
def test_the_page_fits_any_width(browser, context, width: int, scheme: str) -> None:
    visit = Visit(browser, context, width, scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(17, 21, 28)") == (scheme == "dark")
    visit.page.close()


def test_the_settings_unfold(visit: Visit) -> None:
    settings = visit.page.locator("#settings pre")
    assert not settings.is_visible()
    visit.page.locator("#settings summary").click()
    assert settings.is_visible()
    assert "rl.reward.alpha = 0.5" in settings.inner_text()
