"""Pictures in the request itself, as clients and scripts write them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_world import MODEL, Running, asking, known, serving

from pixel_core.serving.http.admission import limits_of
from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.messages import MediaPart
from pixel_core.serving.http.model import bytes_of
from pixel_core.serving.url_fetch import UrlLimits

HEADS = (
    "data:image/png;base64,",
    "DATA:IMAGE/PNG;BASE64,",
    "data:;base64,",
    "data:image/jpeg;charset=utf-8;base64,",
    "data:image/png;name=a b.png; base64 ,",
    "data:image/png;base64;charset=US-ASCII,",
    "data:image/png;name=a,b.png;base64,",
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving() as running:
        yield running


def read(url: str, room: int = 10_000) -> bytes:
    return bytes_of(MediaPart("picture", url, "place"), room, UrlLimits())


def in_lines(text: str, width: int, end: str) -> str:
    parts = (text[start : start + width] for start in range(0, len(text), width))
    return "".join(part + end for part in parts)


@given(
    data=st.binary(max_size=300),
    head=st.sampled_from(HEADS),
    end=st.sampled_from(["", "\n", "\r\n", " ", "\t", " \r\n "]),
    width=st.sampled_from([4, 60, 64, 76]),
    url_safe=st.booleans(),
    padded=st.booleans(),
    escaped=st.booleans(),
)
def test_every_way_to_write_a_file_gives_its_bytes(
    data: bytes,
    head: str,
    end: str,
    width: int,
    url_safe: bool,
    padded: bool,
    escaped: bool,
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(data).decode()
    if not padded:
        text = text.rstrip("=")
    text = in_lines(text, width, end)
    assert read(head + (quote(text, safe="") if escaped else text)) == data


@pytest.mark.parametrize(
    "text", ["QUJD=QUJD", "QUJDR", "QU!JD", "QUJDé", "QUJD%ZZ", "\\nQUJD", "Q=UJ"]
)
def test_what_is_no_base64_says_so(text: str) -> None:
    with pytest.raises(Refusal, match=r"place is no base64: .*; encode the file's bytes again"):
        read(f"data:image/png;base64,{text}")


def test_line_ends_are_no_part_of_a_file_s_size() -> None:
    data = bytes(range(256)) * 4
    lines = in_lines(base64.b64encode(data).decode(), 4, "\r\n")
    assert read(f"data:;base64,{lines}", room=len(data)) == data
    with pytest.raises(Refusal, match="larger than is allowed"):
        read(f"data:;base64,{lines}", room=len(data) - 3)


def test_a_body_has_room_for_its_line_ends() -> None:
    limits = limits_of(picture_bytes=9_000_000)
    lines = in_lines("A" * 12_000_000, 76, "\\r\\n")  # as JSON escapes them
    assert len(lines) < limits.max_body_bytes


def test_a_picture_in_lines_is_answered_as_the_same_in_one(endpoint: Running) -> None:
    content, turns = known(1)
    head, _, text = content[0]["image_url"]["url"].partition(",")
    ways = (
        f" {head.upper()},{text}\n",
        f"{head},{in_lines(text, 76, chr(13) + chr(10))}",
        f"{head},{text.replace('+', '-').replace('/', '_').rstrip('=')}",
    )
    for url in ways:
        part = {"type": "image_url", "image_url": {"url": url}}
        message = {"role": "user", "content": [part, *content[1:]]}
        reply = endpoint.post({"model": MODEL, "messages": [message]})
        assert reply.json()["choices"][0]["message"]["content"] == "\n\n".join(turns)


def test_a_fragment_is_no_part_of_the_data() -> None:
    assert read("data:image/png;base64,aGk=#page=1") == b"hi"


@pytest.mark.parametrize("form", ["a text", "detail null"])
def test_an_address_in_either_form_is_asked_about(endpoint: Running, form: str) -> None:
    body = asking()
    (message,) = body["messages"]
    for part in message["content"]:
        if part["type"] == "image_url":
            url = part["image_url"]["url"]
            part["image_url"] = url if form == "a text" else {"url": url, "detail": None}
    assert endpoint.post(body).status_code == 200
