"""The page under a prefix, behind a proxy that takes it off."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import httpx
import pytest
from asking_gradio import ask, named, upload
from demo_world import World, served
from memorised import memorised
from playwright.sync_api import Browser, expect
from stripping_proxy import proxied
from visits import Visit

PREFIX = "/tools/pixel"
PUBLIC = "https://pictures.example"


@pytest.fixture(scope="module")
def prefixed() -> Iterator[World]:
    with served(PUBLIC + PREFIX) as world:
        yield world


def picture() -> bytes:
    out = io.BytesIO()
    memorised().openings[0].shown[0].image.save(out, "PNG")
    return out.getvalue()


def test_the_page_and_an_answer_come_through_the_proxy(prefixed: World) -> None:
    with proxied(prefixed.url, PREFIX) as url, httpx.Client(base_url=url, timeout=20) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert client.get("/config").json()["root"] == PUBLIC + PREFIX
        found = re.search(r'(?:src|href)="([^"]*assets/[^"]*)"', page.text)
        assert found is not None
        place = found[1].removeprefix(PUBLIC).removeprefix(PREFIX)
        assert client.get("/" + place.removeprefix("./").lstrip("/")).status_code == 200
        sent = upload(client, picture(), {"Origin": PUBLIC})
        assert sent.status_code == 200, sent.text
        answer = ask(client, named(sent.json()[0]), {"Origin": PUBLIC})
        assert "process_completed" in answer
        assert '"success": true' in answer or '"success":true' in answer


def test_after_a_second_server_of_the_process_the_first_takes_questions(
    prefixed: World,
) -> None:
    with served(PREFIX):
        pass
    with proxied(prefixed.url, PREFIX) as url, httpx.Client(base_url=url, timeout=20) as client:
        sent = upload(client, picture(), {"Origin": PUBLIC})
        answer = ask(client, named(sent.json()[0]), {"Origin": PUBLIC})
    assert '"success":true' in answer.replace(": ", ":")


def test_its_public_name_is_one_of_its_names_and_no_other_is(prefixed: World) -> None:
    for path in ("/", f"{PREFIX}/", f"{PREFIX}/config"):
        for host, status in (("pictures.example", 200), ("evil.example", 421)):
            got = httpx.get(prefixed.url + path, headers={"Host": host}, timeout=20)
            assert got.status_code == status
    elsewhere = {"Origin": "https://evil.example"}
    body = {"session_hash": "a"}
    for host in ("pictures.example", "localhost"):
        place = f"{prefixed.url}/gradio_api/queue/join"
        refused = httpx.post(place, json=body, headers=elsewhere | {"Host": host}, timeout=20)
        assert refused.status_code == 403


@pytest.mark.ci
def test_a_person_asks_behind_the_prefix(browser: Browser) -> None:
    with served(PREFIX) as world, proxied(world.url, PREFIX) as url:
        visit = Visit(browser, f"{url}/")
        visit.pick(1, memorised().openings[1].query.question)
        visit.ask()
        expect(visit.notice).to_contain_text("The right answer is")
        expect(visit.looking.locator(".verdict")).to_be_visible()
        # Gradio's page asks for /manifest.json, which says nothing here, beside the prefix.
        assert [text for text in visit.complaints if "404 (Not Found)" not in text] == []
        assert [place for place in visit.requests if not place.startswith(url)] == []
