"""``pixel ui``: Prefect's page in a real browser, with earlier runs on it."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pixel_program import Pixel
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
needs_browser = pytest.mark.skipif(
    not CHROMIUM, reason="no chromium on this machine: apt-get install chromium"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_page(pixel: Pixel, port: int) -> subprocess.Popen[str]:
    process = pixel.start("ui", "--port", str(port))
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/api/health").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail("the page did not come up")


@pytest.fixture
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


@needs_browser
@pytest.mark.slow
def test_the_page_shows_an_earlier_run_with_cached_tasks(
    lone_pixel: Pixel, browser_page: Page, tmp_path: Path
) -> None:
    """The runs reported to private servers that are gone; the page has them all the same."""
    assert lone_pixel("run", "--until", "annotate").returncode == 0
    assert lone_pixel("run", "--until", "annotate").returncode == 0
    port = free_port()
    process = start_page(lone_pixel, port)
    try:
        query = {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
        url = f"http://127.0.0.1:{port}"
        [run] = httpx.post(f"{url}/api/flow_runs/filter", json=query).json()
        browser_page.goto(f"{url}/runs/flow-run/{run['id']}")
        expect(browser_page.get_by_text(run["name"]).first).to_be_visible(timeout=60_000)
        expect(browser_page.get_by_text("pixel-reasoner").first).to_be_visible()
        expect(browser_page.get_by_text("annotate").first).to_be_visible(timeout=30_000)
        expect(browser_page.get_by_text("Cached").first).to_be_visible(timeout=30_000)
        browser_page.screenshot(path=tmp_path / "flow_run.png")
        assert browser_page.get_by_text(re.compile("unable to connect", re.I)).count() == 0
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"export PREFECT_API_URL={url}/api" in out
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/api/health")


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", "ui", "--port", str(port)],
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 2
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr
