"""A page for the tests of a file, and a browser to open it with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from demo_world import World, opened, served
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page_world() -> Iterator[World]:
    """Served; for browsers and bare requests."""
    with served() as world:
        yield world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Without a page."""
    with opened() as world:
        yield world


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()
