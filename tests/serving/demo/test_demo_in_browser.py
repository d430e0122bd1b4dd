"""The page in a real headless Chromium: a model of real weights behind a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_world import BOUNDS, HOSTILE, MENDED, VIDEO, ZOOM, World, examples
from memorised import memorised
from PIL import Image
from playwright.sync_api import Browser, expect
from visits import Visit

pytestmark = pytest.mark.ci


@pytest.fixture
def visit(browser: Browser, page_world: World) -> Iterator[Visit]:
    visit = Visit(browser, page_world.url)
    yield visit
    page_world.engine.let_go()
    visit.page.close()
    outside = [u for u in visit.requests if not u.startswith((visit.url, "data:", "blob:"))]
    assert outside == [], "nothing may be asked of other machines"
    assert visit.complaints == []


def pick(visit: Visit, number: int) -> None:
    visit.pick(number, examples()[number].question)


def test_steps_appear_one_by_one_with_box_and_crop(visit: Visit, page_world: World) -> None:
    engine = page_world.engine
    pick(visit, ZOOM)
    engine.pause()
    visit.ask()
    expect(visit.looking).to_contain_text("thinking: 0 steps so far")
    assert visit.looking.locator(".mark").count() == 0
    engine.allowed.release()  # the first turn is that of who was asked first
    expect(visit.looking.locator(".mark.look")).to_have_count(1)
    expect(visit.looking).to_contain_text("thinking: 1 step so far")
    assert visit.looking.locator(".cutting img").count() == 1
    assert visit.notice.inner_text() == "", "the right answer is told at the end"
    engine.let_go()
    expect(visit.looking).to_contain_text("gave an answer · 1 operation")
    expect(visit.looking.locator(".verdict")).to_have_text("✓ right")
    expect(visit.notice).to_contain_text("The right answer is 4.")
    expect(visit.plain.locator(".verdict")).to_be_visible()
    assert visit.plain.locator(".said").count() == 1
    assert visit.plain.locator(".mark").count() == 0
    width = visit.looking.locator(".mark.look").first.get_attribute("width")
    assert float(width or 0) > 100, "in pixels of the original"
    broken = "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
    assert visit.page.evaluate(broken) == 0


@pytest.mark.slow
def test_a_refused_call_a_video_and_an_answer_that_is_no_text(visit: Visit) -> None:
    pick(visit, MENDED)
    visit.ask()
    expect(visit.looking.locator(".chip.bad")).to_contain_text("call refused")
    expect(visit.looking.locator(".mark.look")).to_have_count(1)
    pick(visit, VIDEO)
    assert visit.looking.locator(".strip li").count() == 4
    visit.ask()
    expect(visit.looking.locator(".strip b.tag")).to_have_count(2)
    assert visit.looking.locator(".cutting img").count() == 2
    pick(visit, VIDEO + 1)
    visit.ask()
    expect(visit.notice).to_contain_text(f"The right answer is {HOSTILE}.")
    assert visit.page.locator("#bold").count() == 0
    assert visit.page.title() == "Pixel Reasoner"
    assert HOSTILE in visit.page.locator("#top").inner_text()


def test_an_upload_is_asked_about_and_a_broken_one_explained(
    visit: Visit, tmp_path: Path
) -> None:
    picture = tmp_path / "my picture.png"
    memorised().openings[ZOOM].shown[0].image.save(picture)
    visit.upload(picture)
    expect(visit.page.locator("#examples .selected")).to_have_count(0)
    expect(visit.looking).to_contain_text("not asked yet")
    visit.question.fill(examples()[ZOOM].question)
    visit.ask()
    expect(visit.looking.locator(".mark.look")).to_have_count(1)
    expect(visit.plain).to_contain_text("gave an answer")
    assert visit.looking.locator(".verdict").count() == 0, "nobody knows the right answer"
    visit.clear()
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:500])
    visit.upload(broken)
    expect(visit.notice.locator(".bad")).to_contain_text("picture broken.png")
    assert "/" not in visit.notice.inner_text(), "no path of this machine"
    visit.ask()
    expect(visit.notice.locator(".bad")).to_contain_text("damaged")
    large = tmp_path / "large.bmp"
    Image.new("RGB", (1100, 1100)).save(large)
    assert large.stat().st_size > BOUNDS.upload
    visit.clear()
    visit.upload(large)
    expect(visit.page.locator(".toast-body")).to_contain_text("maximum allowed size")


def test_stop_and_a_closed_page_free_the_model(visit: Visit, page_world: World) -> None:
    pick(visit, ZOOM)
    for give_up in (visit.page.locator("#stop").click, visit.page.close):
        page_world.engine.pause()
        visit.ask()
        expect(visit.looking).to_contain_text("thinking")
        give_up()
        page_world.both_given_up()
        page_world.engine.let_go()


def test_a_phone_shows_all_of_it(browser: Browser, page_world: World) -> None:
    visit = Visit(browser, page_world.url, 390)
    visit.ask()
    expect(visit.looking).to_contain_text("gave an answer")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    first, second = visit.looking.bounding_box(), visit.plain.bounding_box()
    assert first is not None
    assert second is not None
    assert first["y"] + first["height"] <= second["y"], "one below the other"
    visit.page.close()
