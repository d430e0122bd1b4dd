"""What one request, and all of them together, may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pixel_core.serving.http.errors import Refusal

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Everything a client could use up is bounded here. Times are seconds.

    Memory beside the model's own, at most. Requests that are sent: ``max_reading_bytes``. A
    place: its body, twice while its pictures are unpacked from it. One that runs: 3 bytes a
    pixel of ``max_pixels``. Each decoder, while it decodes: up to 10 bytes a pixel more (a
    picture with transparency, turned as its EXIF says).
    """

    #: Episodes that are generated together, and requests that may wait for a place.
    max_running: int = 16
    max_waiting: int = 64
    #: Of a request, from its headers to its last byte, waiting included.
    timeout_s: float = 120.0
    #: A body must have arrived, and a client's headers, after so long.
    body_timeout_s: float = 30.0
    header_timeout_s: float = 10.0
    #: A client may read nothing of its answer for so long.
    write_timeout_s: float = 30.0
    #: What runs when the server is told to stop may take so much longer.
    grace_s: float = 30.0
    max_connections: int = 512
    #: Requests that are being sent, and bytes that have come of them, together.
    max_reading: int = 256
    max_reading_bytes: int = 256 * MEBIBYTE

    max_body_bytes: int = 32 * MEBIBYTE
    #: Of all pictures of a request together, as they are sent.
    max_picture_bytes: int = 20 * MEBIBYTE
    max_pictures: int = 8
    #: Of all pictures of a request together, decoded.
    max_pixels: int = 50_000_000
    #: Frames that are taken from a video.
    max_frames: int = 16
    #: Characters of all texts of a request.
    max_text: int = 50_000
    #: Threads that decode pictures and videos.
    decoders: int = 2


def limits_of(*, picture_bytes: int, **changes: Any) -> Limits:
    """The limits with these changes; a body has room for its pictures in base64, also in lines
    of 76 characters whose ends are escaped (``\\r\\n``)."""
    body = picture_bytes * 4 * 80 // (3 * 76) + MEBIBYTE
    return Limits(max_picture_bytes=picture_bytes, max_body_bytes=body, **changes)


# Admission control: N requests run, M wait, the rest get 429.
#
# A slot is for a request that has arrived in full. Uploads in progress have their own limits,
# so that slow senders never keep others from an idle engine.


class AdmissionControl:
    """Belongs to one event loop. Places to run are given in the order of asking. ``freed`` is
    called when a request has ended and no thread works for it any more."""

    def __init__(self, limits: Limits, freed: Callable[[], None] = lambda: None) -> None:
        self.freed = freed
        self._room = limits.max_running + limits.max_waiting
        self._max_reading = limits.max_reading
        self._max_reading_bytes = limits.max_reading_bytes
        self._to_run = asyncio.Semaphore(limits.max_running)
        self._reading: set[Slot] = set()
        self._reading_bytes = 0
        self._inside: set[Slot] = set()
        self._running = 0
        #: Whether nobody else is let in; those who came before go on.
        self.closed = False
        #: Whether those inside were told to leave.
        self.cleared = False

    @property
    def reading(self) -> int:
        """Requests that are being sent."""
        return len(self._reading)

    @property
    def reading_bytes(self) -> int:
        """What has come of them."""
        return self._reading_bytes

    @property
    def inside(self) -> int:
        """Places that are taken."""
        return len(self._inside)

    @property
    def unanswered(self) -> int:
        """Requests that get a reply yet. Who left a place may have left a thread in it."""
        return self.reading + sum(not place.left for place in self._inside)

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        """Requests inside that do not run."""
        return self.inside - self.running

    def admit(self) -> Slot:
        """Let a request be sent. ``Refusal`` 429 when all places are taken, or too many are
        being sent; 503 when the server is stopping."""
        if self.closed:
            raise stopping()
        self._check_room()
        if self.reading >= self._max_reading:
            raise _too_much_sent()
        place = Slot(self)
        self._reading.add(place)
        return place

    def close(self) -> None:
        self.closed = True

    def clear(self) -> None:
        """Cancel what those do who are not answered (``Slot.task``)."""
        self.closed = self.cleared = True
        for place in [*self._reading, *self._inside]:
            if place.task is not None:
                place.task.cancel()

    def _check_room(self) -> None:
        if self.inside >= self._room:
            raise Refusal(
                429,
                f"all {self._room} places are taken: ask again in a moment",
                code="queue_full",
                retry_after_s=1,
            )


class Slot:
    """A request's place, from its being sent on. ``leave`` must be called, and may be called
    twice."""

    def __init__(self, gate: AdmissionControl) -> None:
        self._gate = gate
        self._bytes = 0
        self._runs = False
        self._held: list[Future[Any]] = []
        self.left = False
        #: What is cancelled when the server can't wait for it.
        self.task: asyncio.Task[None] | None = None

    def took(self, count: int) -> None:
        """So many bytes more were sent. ``Refusal`` 429 where all together are too many."""
        gate = self._gate
        if gate._reading_bytes + count > gate._max_reading_bytes:
            raise _too_much_sent()
        self._bytes += count
        gate._reading_bytes += count

    def enter(self) -> None:
        """It was sent in full. ``Refusal`` 429 when all places are taken meanwhile."""
        self._sent()
        self._gate._check_room()
        self._gate._inside.add(self)

    async def run(self) -> None:
        """Wait for the turn to run."""
        await self._gate._to_run.acquire()
        self._runs = True
        self._gate._running += 1

    def hold(self, work: Future[Any]) -> None:
        """Work in a thread, for this request: until it ends nobody else has the place, or more
        would run than may."""
        self._held = [*(one for one in self._held if not one.done()), work]

    def leave(self) -> None:
        self._sent()
        if self.left:
            return
        self.left = True
        loop = asyncio.get_running_loop()
        self._held = [one for one in self._held if not one.done()]
        if not self._held:
            self._free()
        for work in self._held:
            work.add_done_callback(lambda _: _in_loop(loop, self._free_when_done))

    def _sent(self) -> None:
        self._gate._reading.discard(self)
        self._gate._reading_bytes -= self._bytes
        self._bytes = 0

    def _free_when_done(self) -> None:
        if all(one.done() for one in self._held):
            self._free()

    def _free(self) -> None:
        self._gate.freed()
        if self not in self._gate._inside:
            return
        self._gate._inside.discard(self)
        if self._runs:
            self._gate._running -= 1
            self._gate._to_run.release()


def _in_loop(loop: asyncio.AbstractEventLoop, work: Any) -> None:
    """From a thread; the loop may be closed by now, and then there is no place to free."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(work)


def stopping() -> Refusal:
    return Refusal(
        503,
        "the server is stopping: ask again when it is back",
        code="server_stopping",
        retry_after_s=5,
    )


def _too_much_sent() -> Refusal:
    return Refusal(
        429,
        "too many requests are being sent: ask again in a moment",
        code="too_many_uploads",
        retry_after_s=1,
    )
