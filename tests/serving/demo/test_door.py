"""Bare requests to the page's server: what the page does not ask for itself is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import ClassVar

import httpx
import pytest
from asking_gradio import ask, named
from demo_world import BOUNDS, World


@pytest.fixture
def client(page_world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page_world.url, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/openapi.json",
        "/monitoring",
        "/login",
        "/runs",
        "/gradio_api/openapi.json",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/file=http://127.0.0.1:1/a.png",
        "/gradio_api/file=HTTPS://example.com/a.png",
        "/gradio_api/file=//http://example.com/a.png",
        "/gradio_api/call/ask",
        "/gradio_api/run/ask",
        "/gradio_api/queue/status",
        "/gradio_api/../docs",
        "/gradio_api/vibe-code",
    ],
)
def test_other_doors_are_closed(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path, json={}).status_code == 404


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../../etc/passwd", __file__, "/proc/self/environ"]
)
def test_files_of_this_machine_are_not_served(client: httpx.Client, file: str) -> None:
    answer = client.get(f"/gradio_api/file={file}")
    assert answer.status_code in (403, 404)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""]
)
def test_another_name_is_not_this_page(client: httpx.Client, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421
    assert client.get("/", headers={"host": "localhost:1234"}).status_code == 200


def test_the_page_may_load_and_send_nothing_elsewhere(client: httpx.Client) -> None:
    head = client.get("/").headers
    rules = head["content-security-policy"].split(";")
    policy = dict(rule.strip().split(" ", 1) for rule in rules)
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert "http" not in head["content-security-policy"]
    assert head["referrer-policy"] == "no-referrer"


def test_large_bodies_are_refused_whatever_they_say_of_themselves(
    client: httpx.Client,
) -> None:
    url = "/gradio_api/queue/join"
    assert client.post(url, content=b"{" + b" " * 1_100_000).status_code == 413
    endless = (b" " * 65536 for _ in range(50_000))
    with suppress(httpx.TransportError):  # the door may be shut while we speak
        assert client.post(url, content=endless).status_code == 411
    assert next(endless, None) is not None, "it was heard to the end"
    assert client.get("/").status_code == 200


def test_an_upload_too_large_is_refused_and_nothing_of_it_kept(client: httpx.Client) -> None:
    files = {"files": ("a.png", b"x" * (BOUNDS.upload + 1000))}
    answer = client.post("/gradio_api/upload", files=files)
    assert answer.status_code == 413
    far = {"files": ("a.png", b"x" * (BOUNDS.upload + 200_000))}
    assert client.post("/gradio_api/upload", files=far).status_code == 413


class _Witness(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_address_in_the_place_of_a_file_is_not_fetched(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gradio
    from gradio import processing_utils

    witness = HTTPServer(("127.0.0.1", 0), _Witness)
    Thread(target=witness.serve_forever, daemon=True).start()
    # Gradio itself would refuse an address of this machine: public ones would be fetched.
    monkeypatch.setattr(processing_utils, "is_public_ip", lambda ip: True)
    place = f"http://127.0.0.1:{witness.server_port}/a.png"
    file = {**named(place), "url": place}
    assert ask(client, file).startswith("403")
    # Nor would Gradio itself, if the door let it through.
    with pytest.raises(gradio.Error, match="not fetched"):
        asyncio.run(processing_utils.async_ssrf_protected_get(place))
    assert _Witness.asked == []
    witness.shutdown()
    witness.server_close()
