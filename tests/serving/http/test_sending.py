"""Requests that are still being sent, and work that goes on when its request is over."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from serving_world import CHAT, Running, asking, picture_part, serving

from pixel_core.serving.http.admission import Limits
from pixel_core.serving.url_fetch import UrlLimits


def head(length: int) -> bytes:
    return (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


def wait_until(true: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.005)


@contextmanager
def half_sent(endpoint: Running, count: int, begun: bytes) -> Iterator[list[socket.socket]]:
    wait_until(lambda: endpoint.gate.reading == 0)
    with ExitStack() as stack:
        held = [stack.enter_context(endpoint.connect()) for _ in range(count)]
        for connection in held:
            connection.send(head(100_000) + begun)
        wait_until(lambda: endpoint.gate.reading_bytes == count * len(begun))
        yield held


def test_those_who_send_slowly_keep_nobody_from_the_engine() -> None:
    with serving(Limits(max_running=1, max_waiting=2)) as endpoint:
        with half_sent(endpoint, 20, b"{"):
            assert endpoint.gate.inside == 0
            assert endpoint.post(asking()).status_code == 200
        wait_until(lambda: endpoint.gate.reading == 0)


def test_what_is_being_sent_is_bounded_too() -> None:
    limits = Limits(max_reading=3, max_reading_bytes=60_000)
    with serving(limits) as endpoint:
        with half_sent(endpoint, 3, b"{"):
            refused = endpoint.post(asking())
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["error"]["code"] == "too_many_uploads"
            assert endpoint.get("/health").json()["status"] == "ready"
        with half_sent(endpoint, 1, b"{" + b" " * 30_000):
            # Both together would be too much; either alone is not.
            body = json.dumps(asking()).encode().ljust(50_000)
            kind = {"content-type": "application/json"}
            assert endpoint.post(content=body, headers=kind).status_code == 429
        wait_until(lambda: endpoint.gate.reading == 0)
        assert endpoint.post(content=body, headers=kind).status_code == 200


@pytest.fixture
def silent() -> Iterator[tuple[str, threading.Event]]:
    """A host that takes a request, and answers (with nothing) only when it is let."""
    answers = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                answers.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", answers
        answers.set()
        thread.join()


def test_a_place_is_kept_until_its_thread_has_ended(
    silent: tuple[str, threading.Event],
) -> None:
    host, answers = silent
    limits = Limits(max_running=1, max_waiting=0, timeout_s=0.3)
    urls = UrlLimits(hosts=(host,), allow_private=True)
    with serving(limits, urls=urls) as endpoint:
        body = asking()
        body["messages"][0]["content"][0] = picture_part(f"http://{host}/a.png")
        assert endpoint.post(body).status_code == 504
        assert endpoint.gate.inside == endpoint.gate.running == 1
        assert endpoint.gate.unanswered == 0
        assert endpoint.post(asking()).json()["error"]["code"] == "queue_full"
        answers.set()
        wait_until(lambda: endpoint.gate.inside == 0)
        assert endpoint.post(asking()).status_code == 200


_STUCK = """
import asyncio, time
from pixel_core.serving.http.model import Threads

async def main():
    threads, held = Threads(1, "stuck"), []
    try:
        await asyncio.wait_for(threads.run(lambda: time.sleep(60), held.append), 0.1)
    except TimeoutError:
        print("given up", held[0].running())
    threads.close()

asyncio.run(main())
"""


def test_a_process_ends_whatever_its_threads_do() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "given up True"), done.stderr
