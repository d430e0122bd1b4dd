"""A visit to the page in Chromium."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=20_000)

#: What Gradio's own client says when an upload's progress has been heard to its end.
_GRADIO = "Method not implemented."


class Visit:
    """An open page, with what it complained of and what it asked the network for."""

    def __init__(self, browser: Browser, url: str, width: int = 1280) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.url = url
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: self._complained(message.text))
        self.page.on("pageerror", lambda error: self._complained(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.locator("#ask").wait_for()
        self.question = self.page.locator("#question textarea")
        self.looking = self.page.locator("#looking")
        self.plain = self.page.locator("#plain")
        self.notice = self.page.locator("#notice")

    def _complained(self, text: str) -> None:
        if text != _GRADIO:
            self.complaints.append(text)

    def pick(self, number: int, question: str) -> None:
        """An example, not the first, until its picture and question are there."""
        self.page.locator("#examples button").nth(number).click()
        expect(self.question).to_have_value(question)
        expect(self.looking).to_contain_text("not asked yet")

    def upload(self, path: Path) -> None:
        self.page.locator("#upload input[type=file]").set_input_files(path)

    def clear(self) -> None:
        self.page.locator("#upload button[aria-label=Clear]").click()
        expect(self.notice).to_contain_text("Choose a picture")

    def ask(self) -> None:
        self.page.locator("#ask").click()
