"""``pixel demo`` as a person starts it, on what a run has made."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from subprocess import Popen

import pytest
from playwright.sync_api import Browser, expect
from real_runs import SmokeRun, ended
from visits import Visit

from pixel_core.config.profile import load_profile
from pixel_core.serving.demo.examples import draw_examples

pytestmark = pytest.mark.ci


@pytest.fixture
def started(smoke: SmokeRun) -> Iterator[tuple[Popen[str], str]]:
    """The process and its page's address, once it told it."""
    process = smoke.pixel.start("demo", "--profile", "smoke", "--port", "0")
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("The page: http://127.0.0.1:"), said
    yield process, said.removeprefix("The page: ").strip()
    process.kill()


def test_a_run_s_policy_is_asked_and_ctrl_c_ends_it(
    started: tuple[Popen[str], str], browser: Browser
) -> None:
    process, url = started
    visit = Visit(browser, url)
    assert visit.page.locator("#examples button").count() == 6
    visit.pick(1, draw_examples(load_profile("smoke").ingest.drawn)[1].question)
    visit.ask()
    expect(visit.notice).to_contain_text("The right answer is")
    for column in (visit.looking, visit.plain):
        expect(column.locator(".verdict")).to_be_visible()
        assert column.locator(".said").count() >= 1
    assert visit.complaints == []
    process.send_signal(signal.SIGINT)  # with the page still open
    finished = ended(process)
    assert finished.returncode == 130
    assert "Traceback" not in finished.stderr
    assert "ERROR" not in finished.stderr


def test_an_address_that_cannot_be_had_is_said_before_anything_is_loaded(
    smoke: SmokeRun,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = smoke.pixel("demo", "--profile", "smoke", "--port", port)
    assert finished.returncode == 2
    assert port in finished.stderr
    assert "Traceback" not in finished.stderr
