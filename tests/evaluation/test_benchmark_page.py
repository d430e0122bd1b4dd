"""The benchmarks' page: what it says, what it refuses, and how it looks in a real browser."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from page_folders import HOSTILE, config_of, write_benchmarks
from playwright.sync_api import sync_playwright

from pixel_core.errors import DataError
from pixel_core.evaluation.page.headline import compared_rows
from pixel_core.evaluation.page.page import run
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.table import rows_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CLOSED = "http://localhost:9/v1"
ENDPOINT = {"big": {"base_url": CLOSED, "model": "some-model"}}
FACTS = {
    "vstar": {
        "complete": False,
        "missing": ("relative_position: 70 of 76",),
        "found": 185,
        "used": 100,
        "limit": 100,
        "shuffle_seed": 3,
        "keys": {
            "published": {"A": 100, "B": 0, "C": 0, "D": 0},
            "put": {"A": 30, "B": 20, "C": 24, "D": 26},
        },
    }
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    """Four rows (with and without operations) on two benchmarks; the stage has run."""
    config = config_of(endpoints=ENDPOINT, examples=2)
    context = write_benchmarks(tmp_path_factory.mktemp("page"), config, FACTS)
    metrics = run(context)
    # 3 pairs on 2 benchmarks, each won 2 and lost 2.
    assert metrics["examples"] == 3 * 2 * 4
    return context


@pytest.fixture(scope="module")
def page(made: StageContext) -> str:
    return (made.out / "benchmarks.html").read_text(encoding="utf-8")


def words(page: str) -> str:
    """The page's text without markup, blanks closed up."""
    plain = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(plain))


def test_ours_stand_with_intervals_and_the_papers_apart(page: str) -> None:
    told = words(page)
    assert "52.0 % 47.0 to 57.0 %" in told
    ours, published = told.split("Published by others, not measured here", 1)
    assert "84.3 %" not in ours, "a published number among ours"
    assert "arXiv 2505.15966" in published
    row = re.search(
        r"Pixel-Reasoner-7B ([^R]*)Pixel|Pixel-Reasoner-7B (\S+ \S+ \S+)", published
    )
    assert row is not None
    assert "– 84.3 %" in row[0], "drawn has no published score, V* has"
    assert "31.0 % 26.0 to 36.0 %" in told, "tool gain with its interval"
    assert "big, no operations" in told


def test_what_is_not_the_published_benchmark_is_said(page: str) -> None:
    told = words(page)
    assert "Not the whole benchmark: relative_position: 70 of 76." in told
    assert "Only 100 of its 185 questions were asked, the first of each kind." in told
    assert "Options are shuffled with seed 3" in told
    assert "A 30 100 B 20 0 C 24 0 D 26 0" in told, "the right option's place, before and after"


def test_where_the_answers_were_read_is_told(page: str) -> None:
    told = words(page)
    assert "model box statement none all free text score from it" in told
    assert "Policy 90.0 % 6.0 % 4.0 % 6.0 % 3.0 %" in told


def test_nothing_that_is_not_ours_becomes_markup(page: str) -> None:
    assert HOSTILE not in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10


def test_examples_are_the_first_won_and_lost_with_their_boxes(page: str) -> None:
    assert page.count('class="mark look"') == page.count('aria-label="Policy"') + page.count(
        'aria-label="big"'
    )
    assert words(page).count("does better: 6 questions, the first 2 shown") == 6


def test_a_models_pairs_are_with_the_one_before_and_with_itself_alone() -> None:
    config = config_of(models=["base", "policy"], endpoints=ENDPOINT)
    assert compared_rows(rows_of(config)) == [
        ("base", "policy"),
        ("policy", "big"),
        ("base_notool", "base"),
        ("policy_notool", "policy"),
        ("big_notool", "big"),
    ]


def test_a_grader_that_is_not_the_benchmarks_own_is_said(tmp_path: Path) -> None:
    config = config_of(names=["drawn"], notool=False, examples=0)
    context = write_benchmarks(tmp_path, config, {"drawn": {"grader": "anls"}})
    assert run(context)["examples"] == 0
    told = words((context.out / "benchmarks.html").read_text(encoding="utf-8"))
    assert "Scored by the grader strict, not by the benchmark's own definition (anls)." in told
    assert "Published by others" not in told, "nothing to compare with"


def test_an_answer_that_is_missing_is_told(tmp_path: Path) -> None:
    config = config_of(names=["drawn"])
    context = write_benchmarks(tmp_path, config, {})
    answers = context.inputs["answers_drawn_policy"] / "answers.jsonl"
    answers.write_text("".join(answers.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match="no answer to"):
        run(context)


@pytest.mark.ci
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_in_a_browser_nothing_is_fetched_and_a_phone_shows_all_of_it(
    made: StageContext,
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        visit = browser.new_page(viewport={"width": 390, "height": 800})
        complaints: list[str] = []
        asked: list[str] = []
        visit.on("console", lambda message: complaints.append(message.text))
        visit.on("request", lambda request: asked.append(request.url))
        visit.goto((made.out / "benchmarks.html").as_uri())
        assert complaints == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert visit.title() == "Pixel Reasoner · benchmarks"
        assert visit.locator("#bold").count() == 0
        assert visit.evaluate("document.documentElement.scrollWidth") == 390
        ids = visit.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), "pictures of two benchmarks share a name"
        browser.close()
