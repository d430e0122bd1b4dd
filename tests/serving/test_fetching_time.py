"""The time of a fetch is that of all its addresses together, and no byte gives it more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pixel_core.errors import MediaError
from pixel_core.serving import url_fetch as fetching
from pixel_core.serving.url_fetch import UrlLimits, fetch

SECONDS = 0.6


@pytest.fixture
def dead() -> Iterator[int]:
    """The port of 127.0.0.1 that takes no connection and refuses none: its line is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        time.sleep(0.05)
        yield listening.getsockname()[1]


def give_up(monkeypatch: pytest.MonkeyPatch, port: int, addresses: list[str]) -> None:
    """Ask a host of these addresses until it is given up."""
    monkeypatch.setattr(fetching, "_addresses", lambda *_: addresses)
    place = f"slow.example:{port}"
    limits = UrlLimits(hosts=(place,), allow_private=True, seconds=SECONDS)
    with pytest.raises(MediaError, match=f"did not come within {SECONDS}"):
        fetch(f"http://{place}/a.png", limits)


def test_silent_addresses_share_it(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    """With as much for each, a thousand of them would take longer than a test may."""
    give_up(monkeypatch, dead, ["127.0.0.1"] * 1000)


def test_one_that_drips_after_a_silent_one(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    with socket.create_server(("127.0.0.2", dead)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
                    for _ in range(99):
                        time.sleep(0.1)
                        connection.sendall(b"x")
                except OSError:
                    pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        # It would be whole after ten seconds.
        give_up(monkeypatch, dead, ["127.0.0.1", "127.0.0.2"])
        dripping.join(20)
