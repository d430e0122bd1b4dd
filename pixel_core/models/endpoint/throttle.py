"""How many requests may be under way, and when all of them hold back.

The first goes alone, so that a wrong key or model is met once and not by everyone at once.
When the endpoint says that it is too much, everyone waits as long as it asks, then half as
many go on; each answer makes room for a little more again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """Nothing more is to be sent."""


class Throttle:
    """At most ``most`` slots. After ``stop`` every waiter gets ``Stopped``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = 1.0
        self._taken = 0
        self._tried = False
        self._until = 0.0
        self._stop = threading.Event()
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        with self._changed:
            while self._taken >= int(self._allowed) or self._stop.is_set():
                if self._stop.is_set():
                    raise Stopped
                self._changed.wait()
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def answered(self) -> None:
        """The endpoint took a request: there may be room for more."""
        with self._changed:
            if not self._tried:
                self._tried = True
                self._allowed = float(self._most)
                self._changed.notify_all()
            elif self._allowed < self._most:
                self._allowed = min(self._most, self._allowed + 1 / self._allowed)
                self._changed.notify()

    def hold_back(self, seconds: float) -> bool:
        """Everyone waits so long, then fewer go on. False: everyone was waiting already."""
        with self._changed:
            now = time.monotonic()
            fresh = now >= self._until
            self._until = max(self._until, now + seconds)
            if fresh:
                self._allowed = max(1.0, self._allowed / 2)
            return fresh

    @property
    def holding_back(self) -> bool:
        return time.monotonic() < self._until

    @property
    def allowed(self) -> int:
        return int(self._allowed)

    def wait(self) -> None:
        """Wait while everyone holds back."""
        while (left := self._until - time.monotonic()) > 0:
            self.sleep(left)
        if self._stop.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait; raise ``Stopped`` as soon as nothing more is to be sent."""
        if self._stop.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
