"""Files of this machine are shown to nobody, and only this page's visitors leave some here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asking_gradio import ask, named, upload
from demo_world import BOUNDS, World
from PIL import Image

from pixel_core.serving.demo.middleware import NOT_UPLOADED
from pixel_core.serving.http.free_memory import FreeMemory


@pytest.fixture
def client(page_world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page_world.url, timeout=20) as client:
        yield client


def picture(colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 120), colour).save(out, "PNG")
    return out.getvalue()


def test_a_file_that_was_uploaded_is_asked_about(client: httpx.Client) -> None:
    (path,) = upload(client, picture()).json()
    assert "data:image/" in ask(client, named(path))


def test_the_pages_server_looks_after_the_memory(page_world: World) -> None:
    owner = getattr(page_world.demo.ended, "__self__", None)
    assert isinstance(owner, FreeMemory)


@pytest.mark.parametrize(
    "name",
    [
        "a%20b.png",
        "100%.png",
        "%2e%2e%2fetc.png",
        "a#b?c&d=e.png",
        "a b [1].png",
        "\U0001f600.png",
        "e\u0301\u00fc.png",
        "写真.png",
        "x" * 300 + ".png",
        "ü" * 300 + ".png",
        "\U0001f600" * 100 + ".png",
        "..png",
        "a.png.",
        "photo.jfif",
        "photo.JPG",
        "photo",
        "a'b\"c;d.png",
    ],
)
def test_a_file_of_any_name_is_asked_about(client: httpx.Client, name: str) -> None:
    answer = upload(client, picture(), name=name)
    assert answer.status_code == 200, answer.text
    (path,) = answer.json()
    # As a browser names it: with the name that the visitor's machine has for it.
    file = {**named(path), "orig_name": name}
    assert "data:image/" in ask(client, file)


def test_files_of_this_machine_cannot_be_asked_about(
    client: httpx.Client, tmp_path: Path
) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(picture())
    (uploaded,) = upload(client, picture()).json()
    beside = Path(uploaded).parent / ".." / ".." / ".." / tmp_path.relative_to("/") / "own.png"
    shapes = (named, lambda path: {"path": str(path)}, str)
    for shape in shapes:
        told = {_said(ask(client, shape(path))) for path in (own, beside, "/etc/passwd")}
        missing = _said(ask(client, shape(tmp_path / "none.png")))
        assert told == {missing}, "whether a file is there can be told"
        assert "data:image/" not in missing
        assert (NOT_UPLOADED in missing) == (shape is not str)  # which Gradio takes for no file


def _said(answer: str) -> str:
    """Without what differs between any two answers: names of sessions and events, times."""
    return re.sub(
        r'"(event_id|eta|duration|average_duration|time[a-z_]*)": ?[^,}]*', "", answer
    )


def test_a_name_given_twice_hides_no_path(client: httpx.Client, tmp_path: Path) -> None:
    (uploaded,) = upload(client, picture()).json()
    own = tmp_path / "own.png"
    own.write_bytes(picture())
    body = f'{{"data": [{{"path": "{own}", "path": "{uploaded}"}}]}}'
    answer = client.post("/gradio_api/queue/join", content=body)
    assert (answer.status_code, answer.text) == (403, NOT_UPLOADED)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a form that is sent
    ],
)
def test_another_site_leaves_nothing_here(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    assert upload(client, picture(), headers).status_code == 403
    assert ask(client, None, headers).startswith("403")


def test_its_own_page_and_links_to_it_are_let_in(client: httpx.Client) -> None:
    own = {"origin": str(client.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    assert upload(client, picture(), own).status_code == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200


def test_uploads_are_bounded_together(page_world: World, client: httpx.Client) -> None:
    uploads = page_world.demo.uploads
    assert uploads is not None
    left = BOUNDS.uploads - uploads.size()
    each = BOUNDS.upload - 1000
    codes = []
    for number in range(left // each + 2):
        codes.append(upload(client, bytes([number]) * each).status_code)
    assert codes[0] == 200
    assert codes[-1] == 503
    assert uploads.size() <= BOUNDS.uploads
