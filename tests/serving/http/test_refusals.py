"""What is asked wrongly gets the API's own error shape, says why, and harms nobody."""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from real_videos import write_video
from serving_world import MODEL, Running, asking, data_url, known, picture_part, serving

from pixel_core.serving.http.admission import Limits
from pixel_core.serving.url_fetch import UrlLimits

LIMITS = Limits(
    max_body_bytes=2_000_000,
    max_picture_bytes=300_000,
    max_pictures=3,
    max_pixels=1_000_000,
    max_text=2_000,
    max_frames=4,
)
TEXT = {"type": "text", "text": "What is the digit?"}
PICTURE = known(0)[0][0]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving(LIMITS, urls=UrlLimits(hosts=("localhost", "pictures.example"))) as running:
        yield running
        # Whatever was sent before, it still answers.
        assert running.post(asking()).status_code == 200
        assert running.gate.inside == 0


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error, which has the shape of OpenAI's."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code, error
    return error


def asks(*content: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    message = {"role": "user", "content": list(content)}
    return {"model": MODEL, "messages": [message], **parameters}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "no object"),
        (b'{"model": 1, "model": 2}', "twice"),
        (b'{"temperature": NaN}', "NaN"),
        (b'{"temperature": 1e999}', "out of range"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "no JSON"),
        (b"[" * 100_001, "more than 100,000 values"),
        (b"[" * 90_000 + b"]" * 90_000, "deeper"),
        (b'{"messages": ' + b"[" * 40 + b"]" * 40 + b"}", "deeper"),
        (b"[" + b"[]," * 200_000 + b"[]]", "more than 100,000 values"),
    ],
)
def test_a_body_that_is_no_sound_json(endpoint: Running, body: bytes, words: str) -> None:
    response = endpoint.post(content=body, headers={"content-type": "application/json"})
    assert words in refused(response, 400, "bad_json")["message"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", ""])
def test_a_body_of_another_type(endpoint: Running, kind: str) -> None:
    response = endpoint.post(content=b"{}", headers={"content-type": kind})
    refused(response, 415, "unsupported_media_type")


def test_a_compressed_body(endpoint: Running) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    refused(endpoint.post(content=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(endpoint: Running, chunked: bool) -> None:
    parts = [b" " * 500_000] * 5
    content = iter(parts) if chunked else b"".join(parts)
    response = endpoint.post(content=content, headers={"content-type": "application/json"})
    refused(response, 413, "request_too_large")


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"n": 2}, "n", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools", "unsupported_parameter"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
        (
            {"response_format": {"type": "json_object"}},
            "response_format",
            "unsupported_parameter",
        ),
        ({"stop": ["\n"]}, "stop", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"presence_penalty": 0.5}, "presence_penalty", "unsupported_parameter"),
        ({"logit_bias": {"5": 100}}, "logit_bias", "unsupported_parameter"),
        ({"top_k": 5}, "top_k", "unsupported_parameter"),
        ({"topk": 5}, "topk", "unknown_parameter"),
        ({"a\ud800": 5}, "a\\ud800", "unknown_parameter"),
        ({"pixel": {"\udfff": 5}}, "pixel", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_value"),
        ({"temperature": -1}, "temperature", "invalid_value"),
        ({"temperature": True}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"seed": 1.5}, "seed", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        ({"pixel": {"zoom": 1}}, "pixel.zoom", "unknown_parameter"),
        ({"pixel": {"choices": ["one"]}}, "pixel.choices", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "hello"}, "messages", "invalid_value"),
        ({"messages": [1]}, "messages[0]", "invalid_value"),
        ({"model": None}, "model", "invalid_value"),
    ],
)
def test_a_parameter_that_cannot_be_honoured(
    endpoint: Running, parameters: dict[str, Any], param: str, code: str
) -> None:
    assert refused(endpoint.post(asking(**parameters)), 400, code)["param"] == param


@pytest.mark.parametrize(
    "parameters",
    [
        {"n": 1, "tools": [], "tool_choice": "auto", "logprobs": False, "stop": None},
        {"response_format": {"type": "text"}, "presence_penalty": 0, "frequency_penalty": 0.0},
    ],
)
def test_a_parameter_that_asks_for_nothing_is_fine(
    endpoint: Running, parameters: dict[str, Any]
) -> None:
    assert endpoint.post(asking(**parameters)).status_code == 200


def test_a_model_that_is_not_there(endpoint: Running) -> None:
    refused(endpoint.post(asking(model="gpt-4o")), 404, "model_not_found")


def test_a_request_without_model(endpoint: Running) -> None:
    body = asking()
    del body["model"]
    refused(endpoint.post(body), 400, "missing_required_parameter")


@pytest.mark.parametrize(
    ("roles", "code"),
    [
        (("user", "assistant", "user"), "unsupported_history"),
        (("user", "user"), "unsupported_history"),
        (("assistant",), "unsupported_history"),
        (("tool",), "unsupported_history"),
        (("user", "system"), "invalid_value"),
        (("system",), "invalid_value"),
        ((["user"],), "unsupported_history"),
    ],
)
def test_messages_that_are_no_one_question(
    endpoint: Running, roles: tuple[Any, ...], code: str
) -> None:
    messages = [
        {"role": role, "content": [PICTURE, TEXT] if role == "user" else "Well."}
        for role in roles
    ]
    refused(endpoint.post({"model": MODEL, "messages": messages}), 400, code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([TEXT], "missing_picture"),
        ([PICTURE], "invalid_value"),
        ([PICTURE, {"type": "text", "text": "  "}], "invalid_value"),
        ([PICTURE, {"type": "text", "text": "\ud800?"}], "invalid_value"),
        ([PICTURE, {"type": "text", "text": "x" * 2001}], "string_above_max_length"),
        ([PICTURE, {"type": "text", "text": 5}], "invalid_value"),
        ([PICTURE, TEXT, PICTURE], "unsupported_content"),
        ([*[PICTURE] * 4, TEXT], "too_many_pictures"),
        ([TEXT, {"type": "input_audio", "input_audio": {}}], "unsupported_content"),
        ([TEXT, {"type": ["image_url"]}], "unsupported_content"),
        ([TEXT, {"type": "image_url", "image_url": "x"}], "invalid_url"),
            ([TEXT, {"type": "image_url", "image_url": 7}], "invalid_value"),
        (
            [TEXT, {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}],
            "invalid_value",
        ),
        ([TEXT, PICTURE, {"type": "video_url", "video_url": {"url": "data:,"}}],
         "unsupported_content"),
    ],
)  # fmt: skip
def test_content_that_has_no_meaning(
    endpoint: Running, content: list[dict[str, Any]], code: str
) -> None:
    refused(endpoint.post(asks(*content)), 400, code)


def png_of(width: int, height: int) -> bytes:
    """A small file that says it has so many pixels, all black, and does."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = zlib.compress(b"\0" * (math.ceil(width / 8) + 1) * height, 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def held(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        (held(b""), 400, "invalid_image"),
        (held(b"no picture"), 400, "invalid_image"),
        (held(png_of(64, 64)[:50]), 400, "invalid_image"),
        (held(png_of(20_000, 20_000)), 400, "invalid_image"),  # 50 MB in 50 kB
        (held(png_of(1200, 1200)), 400, "invalid_image"),
        (held(png_of(4000, 2)), 400, "invalid_image"),  # too narrow to be shown
        (held(b"\0" * 300_001), 413, "image_too_large"),
        ("data:image/png;base64,@@@@", 400, "invalid_base64"),
        ("data:image/png,abc", 400, "invalid_base64"),
        ("data:", 400, "invalid_url"),
        ("file:///etc/passwd", 400, "invalid_url"),
        ("/etc/passwd", 400, "invalid_url"),
        ("ftp://pictures.example/a.png", 400, "invalid_url"),
        ("https://elsewhere.example/a.png", 400, "invalid_url"),
        ("http://localhost/a.png", 400, "invalid_url"),  # allowed, but private
        ("http://169.254.169.254/latest/meta-data", 400, "invalid_url"),
        ("http://pictures.example@127.0.0.1/a.png", 400, "invalid_url"),
    ],
)
def test_a_picture_that_is_none(endpoint: Running, url: str, status: int, code: str) -> None:
    error = refused(endpoint.post(asks(TEXT, picture_part(url))), status, code)
    assert error["param"] in ("messages[0].content[1].image_url.url", "messages")


def test_a_host_that_is_not_allowed_is_not_told_which_are(endpoint: Running) -> None:
    response = endpoint.post(asks(TEXT, picture_part("https://elsewhere.example/a.png")))
    assert "elsewhere.example" in response.text
    assert "pictures.example" not in response.text


def test_pictures_are_bounded_together(endpoint: Running) -> None:
    each = picture_part(held(png_of(700, 700)))
    assert endpoint.post(asks(TEXT, each)).status_code == 200
    error = refused(endpoint.post(asks(TEXT, each, each, each)), 400, "invalid_image")
    assert error["param"] == "messages[0].content[3].image_url.url"


def test_videos(endpoint: Running, tmp_path: Path) -> None:
    def ask(data: bytes) -> httpx.Response:
        url = f"data:video/mp4;base64,{base64.b64encode(data).decode()}"
        return endpoint.post(asks({"type": "video_url", "video_url": {"url": url}}, TEXT))

    video = write_video(tmp_path / "a.mp4", frames=8).read_bytes()
    assert ask(video).status_code == 200
    refused(ask(video[: len(video) // 3]), 400, "invalid_image")
    refused(ask(b"\0\0\0\x18ftypisom" + b"\0" * 500), 400, "invalid_image")


def test_a_question_that_fills_the_context(endpoint: Running) -> None:
    body = asks(PICTURE, {"type": "text", "text": "zqx " * 450})
    for stream in (False, True):
        error = refused(endpoint.post({**body, "stream": stream}), 400, "invalid_question")
        assert "tokens" in error["message"]


def test_a_name_that_is_not_of_this_machine(endpoint: Running) -> None:
    headers = {"Host": "attacker.example"}
    refused(endpoint.get("/v1/models", headers=headers), 421, "host_not_allowed")
    assert endpoint.get("/v1/models", headers={"Host": "[::1]:80"}).status_code == 200


def test_an_error_repeats_no_picture(endpoint: Running) -> None:
    marked = data_url(Image.new("RGB", (2, 4000)))
    response = endpoint.post(asks(TEXT, picture_part(marked)))
    assert response.status_code == 400
    assert marked[30:60] not in response.text
    assert len(json.dumps(response.json())) < 1000
