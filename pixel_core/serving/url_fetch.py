"""Pictures and videos by URL, from allowed hosts, never from a private network.

Fetching a user's URL risks SSRF. So only listed hosts are contacted; a name is resolved once,
all its addresses must be public, and the connection goes to an address that was checked (the
name could resolve differently the next time). Redirects are checked again. Proxies set in the
environment are ignored, since they would resolve the name themselves.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from pixel_core.errors import MediaError

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16
#: 64:ff9b::/96 and 64:ff9b:1::/48 (RFC 6052, RFC 8215): the last 32 bits are an IPv4 address.
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
)

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class UrlLimits:
    """``hosts``: allowed names, "example.org" at its scheme's default port, or
    "example.org:8443" at that one. ``allow_private``: private networks' addresses too; only
    for code with trusted callers. ``seconds``: for the whole fetch, redirects included.
    ``tell_hosts``: errors list ``hosts``; meant for those who configured them."""

    hosts: tuple[str, ...] = ()
    bytes: int = 50_000_000
    seconds: float = 20.0
    redirects: int = 3
    allow_private: bool = False
    tell_hosts: bool = False


def is_url(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, limits: UrlLimits) -> bytes:
    """The URL's content, whatever its stated type. ``MediaError`` if it is not allowed, not
    there, too large or too slow."""
    deadline = time.monotonic() + limits.seconds
    for _ in range(limits.redirects + 1):
        place = _checked(url, limits)
        answer = _ask(place, limits, deadline)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise MediaError(f"{_named(place)} redirects over {limits.redirects} times: give its end")


def _checked(url: str, limits: UrlLimits) -> SplitResult:
    """The URL's parts, if its host is allowed."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise MediaError("a URL has characters that must be percent-encoded: encode it")
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise MediaError(f"a URL can't be read ({error}): check it") from error
    if place.scheme not in _PORTS or not place.hostname:
        raise MediaError(
            f"a URL of scheme {place.scheme[:20]!r} is not fetched: only http and https are"
        )
    if place.username is not None or place.password is not None:
        raise MediaError("a URL with a user or password is not fetched: take them out")
    if not _listed(place.hostname, port or _PORTS[place.scheme], place.scheme, limits.hosts):
        told = f" ({', '.join(limits.hosts) or 'none is'})" if limits.tell_hosts else ""
        raise MediaError(
            f"{_named(place)} is not fetched: its host is not one of those allowed by "
            f"name{told}; send the picture itself, or allow it"
        )
    return place


def _listed(host: str, port: int, scheme: str, hosts: Sequence[str]) -> bool:
    usual = port == _PORTS[scheme]
    written = f"[{host}]" if ":" in host else host
    allowed = {entry.lower().rstrip(".") for entry in hosts}
    name = written.rstrip(".")
    return f"{name}:{port}" in allowed or (usual and name in allowed)


def _addresses(host: str, port: int, limits: UrlLimits, named: str) -> list[str]:
    """All addresses of the host; none if one of them is forbidden."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise MediaError(f"{named} can't be fetched: its host has no address") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not limits.allow_private and not is_public(address):
            raise MediaError(
                f"{named} is not fetched: its host is in a private network; send the picture "
                "itself"
            )
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is on the public internet: not private, loopback, link-local (a
    cloud's metadata), multicast or reserved, nor an IPv6 form of such an IPv4 address."""
    try:
        ip: _IP = ipaddress.ip_address(address)
    except ValueError:
        return False  # with a zone ("fe80::1%eth0"): link-local
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip.teredo is not None:
            return False
        if inner is None and any(ip in network for network in _TRANSLATED):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.is_site_local:  # fec0::/10, which IPv6Address takes for global
            return False
        if inner is not None:
            ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


class _Guard:
    """Ends a connection at its deadline, even if data still trickles in."""

    def __init__(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        self._connection = connection
        self.rang = False
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._ring)
        self._timer.daemon = True

    def _ring(self) -> None:
        self.rang = True
        if self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Guard:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._connection.close()


def _ask(place: SplitResult, limits: UrlLimits, deadline: float) -> bytes | str:
    """The content, or a redirect's target."""
    named = _named(place)
    host = place.hostname or ""
    port = place.port or _PORTS[place.scheme]
    addresses = _addresses(host, port, limits, named)
    connection = _Connection(place.scheme, host, port, addresses, deadline)
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    with _Guard(connection, deadline) as guard:
        try:
            connection.request(
                "GET", target, headers={"Accept": "*/*", "Accept-Encoding": "identity"}
            )
            response = connection.getresponse()
            where = response.headers.get("Location")
            if response.status in _REDIRECTS and where:
                return where
            if response.status != http.client.OK:
                raise MediaError(f"{named} can't be fetched: it answers {response.status}")
            content = _content(response, limits, named)
        except (OSError, http.client.HTTPException) as error:
            if guard.rang or isinstance(error, TimeoutError):
                raise _too_slow(named, limits) from error
            raise MediaError(
                f"{named} can't be fetched ({type(error).__name__}): check it, or send the "
                "picture itself"
            ) from error
        if guard.rang:
            raise _too_slow(named, limits)  # a body without a length ends like a whole one
    return content


def _content(response: http.client.HTTPResponse, limits: UrlLimits, named: str) -> bytes:
    parts: list[bytes] = []
    total = 0
    while part := response.read(_CHUNK):
        total += len(part)
        if total > limits.bytes:
            raise MediaError(
                f"{named} is larger than the {limits.bytes:,} bytes allowed: make it smaller"
            )
        parts.append(part)
    if response.length:  # chunked reads do not notice a short body
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)


class _Connection(http.client.HTTPConnection):
    """Connects to checked addresses; the name is for ``Host`` and the certificate."""

    def __init__(
        self, scheme: str, host: str, port: int, addresses: Sequence[str], deadline: float
    ) -> None:
        super().__init__(host, port)
        self._deadline = deadline
        self.default_port = _PORTS[scheme]
        self._tls = ssl.create_default_context() if scheme == "https" else None
        self._addresses = addresses

    def connect(self) -> None:
        failed: OSError = OSError("no address")
        for number, address in enumerate(self._addresses):
            # Split the time, so that one silent address leaves some for the others.
            share = self._left() / (len(self._addresses) - number)
            try:
                self.sock = socket.create_connection((address, self.port), share)
                break
            except OSError as error:
                failed = error
        else:
            raise failed
        # Until there was a socket, the guard had nothing to close.
        self.sock.settimeout(self._left())
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _too_slow(named: str, limits: UrlLimits) -> MediaError:
    return MediaError(
        f"{named} did not come within {limits.seconds:g} s: send the picture itself"
    )


def _named(place: SplitResult) -> str:
    """The URL without its query, which may hold a secret of the user."""
    return f"{place.scheme}://{place.netloc[:80]}{place.path[:80]}"
