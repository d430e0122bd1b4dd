"""Clients that are slow on purpose, and the key: on bare sockets, which are not polite."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator

import pytest
from serving_world import CHAT, Running, asking, serving

from pixel_core.errors import ConfigError
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.middleware import key_from_environment

IMPATIENT = Limits(
    header_timeout_s=0.3, body_timeout_s=0.5, write_timeout_s=0.5, max_connections=6
)
KEY = "a-key-of-the-tests-0123"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving(IMPATIENT) as running:
        yield running


def head(length: int) -> bytes:
    return (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_until(connection: socket.socket, words: bytes) -> bytes:
    held = b""
    while words not in held:
        part = connection.recv(4096)
        assert part, held
        held += part
    return held


def test_headers_that_never_end(endpoint: Running) -> None:
    with endpoint.connect() as connection:
        began = time.monotonic()
        try:
            # To the end it would take longer than a test may.
            for letter in b"GET /health HTTP/1.1\r\nHost: loc" * 1000:
                connection.send(bytes([letter]))
                time.sleep(0.02)
        except OSError:
            pass
        assert rest(connection) == b""
        assert time.monotonic() - began > 0.2


def test_a_second_request_may_be_slow_no_more_than_the_first(endpoint: Running) -> None:
    with endpoint.connect() as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        read_until(connection, b'"live"}')
        connection.send(b"GET /hea")
        assert rest(connection) == b""


def test_a_body_that_never_ends(endpoint: Running) -> None:
    with endpoint.connect() as connection:
        connection.send(head(1000) + b'{"model"')
        reply = rest(connection)
        assert b"408 Request Timeout" in reply
        assert b'"code":"request_timeout"' in reply
    assert endpoint.gate.inside == 0


def test_a_body_shorter_than_it_says(endpoint: Running) -> None:
    with endpoint.connect() as connection:
        connection.send(head(1000) + b'{"model"')
        connection.shutdown(socket.SHUT_WR)
        rest(connection)
    while endpoint.gate.inside:
        time.sleep(0.01)
    assert endpoint.post(asking()).status_code == 200


def test_what_is_no_http(endpoint: Running) -> None:
    with endpoint.connect() as connection:
        connection.send(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        status, _, body = rest(connection).partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "bad_http"


def test_headers_that_are_too_large(endpoint: Running) -> None:
    reply = endpoint.get("/health", headers={"X-Much": "x" * 600_000})
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "bad_http"


def test_more_connections_than_allowed(endpoint: Running) -> None:
    held = [endpoint.connect() for _ in range(6)]
    try:
        reply = endpoint.get("/health/live")
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "too_many_connections"
    finally:
        for connection in held:
            connection.close()
    while endpoint.server.server_state.connections:
        time.sleep(0.01)
    assert endpoint.get("/health/live").status_code == 200


def test_a_client_that_does_not_read_holds_no_place() -> None:
    with serving(Limits(max_running=1, max_waiting=1, write_timeout_s=1.0)) as endpoint:
        body = json.dumps(asking(1, stream=True)).encode()
        with endpoint.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.send(head(len(body)) + body)
            # The only place to run is free again, though nothing of the answer was read.
            for _ in range(3):
                assert endpoint.post(asking(0)).status_code == 200
            assert b"200 OK" in read_until(connection, b"data: [DONE]")


def test_the_key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PIXEL_API_KEY", KEY)
    with caplog.at_level(logging.DEBUG), serving(key=key_from_environment()) as endpoint:
        right = {"Authorization": f"Bearer {KEY}"}
        for headers in ({}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": KEY}):
            for reply in (
                endpoint.post(asking(), headers=headers),
                endpoint.get("/v1/models", headers=headers),
                endpoint.get("/metrics", headers=headers),
            ):
                assert reply.status_code == 401
                assert reply.json()["error"]["code"] == "invalid_api_key"
                assert KEY not in reply.text
        assert endpoint.post(asking(), headers=right).status_code == 200
        assert endpoint.get("/health").json()["status"] == "ready"
        assert KEY not in endpoint.get("/metrics", headers=right).text
    assert f"POST {CHAT} 401" in caplog.text
    assert KEY not in caplog.text
    assert "What" not in caplog.text  # nor the question


@pytest.mark.parametrize("key", ["short", "with a space in it", "with-ümlaut-in-it"])
def test_a_key_that_is_none(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("PIXEL_API_KEY", key)
    with pytest.raises(ConfigError) as refused:
        key_from_environment()
    assert key not in str(refused.value)


def test_a_client_that_writes_all_before_it_reads_still_gets_the_reason() -> None:
    body = b" " * (20 << 20)
    with serving(Limits(max_body_bytes=1 << 20), key=KEY) as endpoint:
        for headers, status in (({}, 401), ({"authorization": f"Bearer {KEY}"}, 413)):
            kind = {"content-type": "application/json"}
            assert endpoint.post(content=body, headers=kind | headers).status_code == status
