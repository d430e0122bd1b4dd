"""Pictures by URL: from named hosts only, to checked addresses only, within limits."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.serving import url_fetch as fetching
from pixel_core.serving.media import MediaLimits, read_media
from pixel_core.serving.url_fetch import UrlLimits, fetch, is_public

SECRET = "sig=s3cr3t"


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "blue").save(out, "PNG")
    return out.getvalue()


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        path, _, query = self.path.partition("?")
        if path == "/picture":
            self._send(200, _png(), {"Content-Type": "text/html"})
        elif path == "/to":
            self._send(302, b"", {"Location": query})
        elif path == "/loop":
            self._send(302, b"", {"Location": "/loop"})
        elif path == "/large":
            self._send(200, b"x" * 5000)
        elif path == "/endless":
            self._drip(b"x" * 1000, {})
        elif path == "/slow":
            self._drip(b"x", {"Content-Length": "100000"}, 0.05)
        elif path == "/short":
            self._send(200, b"x", {"Content-Length": "100"})
            self.close_connection = True
        else:
            self._send(404, b"none")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, piece: bytes, headers: dict[str, str], pause: float = 0.0) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass  # the client went away, as it should

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.seen = []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def here(site: ThreadingHTTPServer) -> str:
    site.seen.clear()
    return f"http://127.0.0.1:{site.server_port}"


def allowed(here: str, **limits) -> UrlLimits:
    values = {"hosts": (here.removeprefix("http://"),), "allow_private": True}
    return UrlLimits(**{**values, **limits})


def test_a_picture_is_fetched_whatever_type_it_claims(here: str, site) -> None:
    seen = read_media(f"{here}/picture?a=1", limits=MediaLimits(urls=allowed(here)))
    assert seen.images[0].size == (20, 10)
    path, headers = site.seen[0]
    assert path == "/picture?a=1"
    assert headers["Host"] == here.removeprefix("http://")
    assert "Authorization" not in headers


def test_a_host_that_was_not_named_is_not_asked(here: str, site) -> None:
    for limits in (
        UrlLimits(allow_private=True),
        UrlLimits(hosts=("example.org",), allow_private=True),
        UrlLimits(hosts=("127.0.0.1",), allow_private=True),  # at its usual port only
    ):
        with pytest.raises(MediaError, match="not one of those allowed by name") as error:
            fetch(f"{here}/picture?{SECRET}", limits)
        assert SECRET not in str(error.value)
    with pytest.raises(MediaError, match="allowed by name"):
        read_media(f"{here}/picture", limits=MediaLimits())
    assert site.seen == []


def test_a_name_that_leads_into_a_private_network_is_not_asked(here: str, site) -> None:
    port = site.server_port
    assert socket.gethostbyname("localhost").startswith("127.")
    for host in (
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0x7f000001",
    ):
        limits = UrlLimits(hosts=(f"{host}:{port}",))
        with pytest.raises(MediaError, match=r"private network|has no address"):
            fetch(f"http://{host}:{port}/picture", limits)
    assert site.seen == []


def test_one_private_address_among_public_ones_is_enough(monkeypatch, here: str, site) -> None:
    def both(host, port, **_):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.216.34", "169.254.169.254")
        ]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", both)
    with pytest.raises(MediaError, match="private network"):
        fetch("http://example.org/picture", UrlLimits(hosts=("example.org",)))


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, here: str, site):
    """A name that is another machine's when it is asked for a second time."""
    asked = []

    def once(host, port, **_):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "192.0.2.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", once)
    place = f"pictures.example:{site.server_port}"
    limits = UrlLimits(hosts=(place,), allow_private=True)
    connect = socket.create_connection

    def connected(address, *rest, **more):
        assert address[0] == "127.0.0.1"  # a number: nothing is left to resolve
        monkeypatch.undo()
        return connect(address, *rest, **more)

    monkeypatch.setattr(fetching.socket, "create_connection", connected)
    assert fetch(f"http://{place}/picture", limits) == _png()
    assert asked == ["pictures.example"]
    assert site.seen[0][1]["Host"] == place


def test_redirects_are_new_wishes(here: str, site) -> None:
    limits = allowed(here)
    assert fetch(f"{here}/to?/picture", limits) == _png()
    assert fetch(f"{here}/to?/to?/to?/picture", limits) == _png()
    with pytest.raises(MediaError, match="redirects over 3 times"):
        fetch(f"{here}/loop", limits)
    before = len(site.seen)
    for elsewhere in (
        "http://localhost/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
    ):
        with pytest.raises(MediaError, match="not fetched"):
            fetch(f"{here}/to?{elsewhere}", limits)
    assert len(site.seen) == before + 3  # only the pages that redirect were asked for


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://example.org/a", "only http and https"),
        ("http:///a", "only http and https"),
        ("http://user:pass@example.org/a", "take them out"),
        ("http://example.org:99999/a", "can't be read"),
        ("http://example.org/a b", "percent-encoded"),
        ("http://example.org/\r\nHost: x", "percent-encoded"),
        ("http://example.org\\@evil.example/", "percent-encoded"),
        ("http://[::1", "can't be read"),
    ],
)
def test_urls_that_are_no_plain_ones(url: str, told: str) -> None:
    with pytest.raises(MediaError, match=told):
        fetch(url, UrlLimits(hosts=("example.org",)))


def test_size_and_time_are_bounded(here: str) -> None:
    for path in ("large", "endless"):
        with pytest.raises(MediaError, match="larger than the 4,000 bytes allowed"):
            fetch(f"{here}/{path}", allowed(here, bytes=4000))
    with pytest.raises(MediaError, match=r"did not come within 0.3 s"):
        fetch(f"{here}/slow", allowed(here, seconds=0.3))


def test_a_host_that_fails_is_told_without_secrets(here: str, site) -> None:
    with pytest.raises(MediaError, match=r"/none can't be fetched: it answers 404") as error:
        fetch(f"{here}/none?{SECRET}", allowed(here))
    assert SECRET not in str(error.value)
    with pytest.raises(MediaError, match="can't be fetched"):
        fetch(f"{here}/short", allowed(here))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MediaError, match=r"can't be fetched \(ConnectionRefusedError\)"):
        fetch(f"http://{place}/a", UrlLimits(hosts=(place,), allow_private=True))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),  # of one site (RFC 3879)
        ("feff::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:a00:1::1", False),  # 6to4 of 10.0.0.1
        ("64:ff9b::a9fe:a9fe", False),  # NAT64 of 169.254.169.254
        ("fd00:ec2::254", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public
