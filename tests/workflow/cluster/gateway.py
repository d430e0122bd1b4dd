"""A gateway between a control plane and a cluster: it counts bytes, and can be down."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Gateway:
    """Passes connections on to ``target``; ``received`` counts what came back from there."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._open: set[socket.socket] = set()
        self._down = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received = 0
        self.refused = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def go_down(self) -> None:
        """Break every connection, and every new one, until ``come_up``."""
        with self._lock:
            self._down = True
            broken, self._open = self._open, set()
        for connection in broken:
            _end(connection)

    def come_up(self) -> None:
        self._down = False

    def close(self) -> None:
        self.go_down()
        _end(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._down:
                self.refused += 1
                _end(client)
                continue
            server = socket.create_connection(self._target)
            with self._lock:
                self._open |= {client, server}
            for ends in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    self.received += len(data)
                sink.sendall(data)
        _end(sink)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def gateway(target: str) -> Iterator[Gateway]:
    opened = Gateway(target)
    try:
        yield opened
    finally:
        opened.close()
