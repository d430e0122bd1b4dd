"""What of a picture a live request holds."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from asking import KEY, VARIABLE, context, drive_all, picture, request
from endpoint import FakeEndpoint, Reply, Seen, chat
from PIL import Image

from pixel_core.data.annotation.requests import PictureView, Procedure
from pixel_core.records import Box


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def echo(seen: Seen, number: int) -> Reply:
    return chat(f"said {seen.question}")


def views(
    tmp_path: Path, image: Image.Image, *shown: tuple[int, Box | None]
) -> list[PictureView]:
    (tmp_path / "ingest").mkdir()
    kept = picture(tmp_path / "ingest", image)
    return [PictureView(kept, pixels, box) for pixels, box in shown]


def sent(seen: Seen) -> list[tuple[str, Image.Image]]:
    """The pictures of a request as they arrived, with their kind."""
    found = []
    for part in seen.body["messages"][1]["content"]:
        if part["type"] == "image_url":
            head, _, data = part["image_url"]["url"].partition(",")
            found.append((head, Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")))
    return found


def test_views_are_cut_shrunk_and_legible(tmp_path: Path) -> None:
    photo = Image.effect_noise((600, 400), 90).convert("RGB")
    page = Image.new("RGB", (600, 400), "white")
    page.paste((200, 0, 0), (300, 100, 330, 140))
    box = Box(x1=300, y1=100, x2=330, y2=140)

    def procedure(shown: list[PictureView]) -> Procedure[None]:
        yield request("q", *shown)

    with FakeEndpoint(echo) as endpoint:
        shown = views(tmp_path, page, (10**6, None), (60_000, None), (10**6, box))
        drive_all(context(tmp_path, endpoint.url), [lambda: procedure(shown)])
        (tmp_path / "other").mkdir()
        shown = views(tmp_path / "other", photo, (10**6, None))
        drive_all(context(tmp_path / "other", endpoint.url), [lambda: procedure(shown)])
    (whole, small, crop), (noise,) = (sent(seen) for seen in endpoint.requests)
    assert [image.size for _, image in (whole, small, crop)] == [
        (600, 400),
        (300, 200),
        (30, 40),
    ]
    # A page goes without loss; a photo, which would be large so, as JPEG.
    assert whole[1].tobytes() == page.tobytes()
    assert crop[1].getcolors() == [(1200, (200, 0, 0))]
    assert "image/png" in whole[0]
    assert "image/jpeg" in noise[0]
    parts = endpoint.requests[0].body["messages"][1]["content"]
    assert {part["image_url"]["detail"] for part in parts[:3]} == {"high"}
