"""Resource limits of one request, and of all together."""

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
    """Bounds on everything a client could use up. Times are seconds.

    Peak memory beside the model's own: for requests being sent, ``max_reading_bytes``; per
    slot, its body, twice while its pictures are unpacked; per running request, 3 bytes a
    pixel of ``max_pixels``; per busy decoder, up to 10 bytes a pixel more (a picture with
    transparency, turned as its EXIF says).
    """

    #: Episodes generated together, and requests that may wait for a slot.
    max_running: int = 16
    max_waiting: int = 64
    #: For a request from its headers to its last byte, including the wait.
    timeout_s: float = 120.0
    #: Time for a body to arrive, and for a client's headers.
    body_timeout_s: float = 30.0
    header_timeout_s: float = 10.0
    #: How long a client may read nothing of its answer.
    write_timeout_s: float = 30.0
    #: Time for running requests to finish after the server is asked to stop.
    grace_s: float = 30.0
    max_connections: int = 512
    #: Requests being sent, and bytes received of them, together.
    max_reading: int = 256
    max_reading_bytes: int = 256 * MEBIBYTE

    max_body_bytes: int = 32 * MEBIBYTE
    #: For all pictures of a request together, as sent.
    max_picture_bytes: int = 20 * MEBIBYTE
    max_pictures: int = 8
    #: For all pictures of a request together, decoded.
    max_pixels: int = 50_000_000
    #: Frames taken from a video.
    max_frames: int = 16
    #: Characters in all texts of a request.
    max_text: int = 50_000
    #: Threads decoding pictures and videos.
    decoders: int = 2


def limits_of(*, picture_bytes: int, **changes: Any) -> Limits:
    """The limits with these changes; a body has room for its pictures in base64, even in
    lines of 76 characters with escaped ends (``\\r\\n``)."""
    body = picture_bytes * 4 * 80 // (3 * 76) + MEBIBYTE
    return Limits(max_picture_bytes=picture_bytes, max_body_bytes=body, **changes)


# Admission control: N requests run, M wait, all others must come back later.
#
# A slot is for a request received in full. Requests still being sent have limits of their
# own, so that slow senders keep nobody from an idle engine.


class AdmissionControl:
    """Belongs to one event loop. Requests run in order of arrival. ``freed`` is called when
    a request has ended and no thread works for it any more."""

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
        #: Whether admission is closed; requests already admitted go on.
        self.closed = False
        #: Whether the admitted requests were cancelled.
        self.cleared = False

    @property
    def reading(self) -> int:
        """Requests being sent."""
        return len(self._reading)

    @property
    def reading_bytes(self) -> int:
        """Bytes received of them."""
        return self._reading_bytes

    @property
    def inside(self) -> int:
        """Slots in use."""
        return len(self._inside)

    @property
    def unanswered(self) -> int:
        """Requests still owed a reply. A request that left its slot may still have a thread."""
        return self.reading + sum(not place.left for place in self._inside)

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        """Admitted requests that do not run yet."""
        return self.inside - self.running

    def admit(self) -> Slot:
        """Let a request be sent. ``Refusal`` 429 when all slots are taken or too many requests
        are being sent; 503 when the server is stopping."""
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
        """Cancel all requests not yet answered (``Slot.task``)."""
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
    """A request's slot, from when it is being sent. ``leave`` must be called; calling it
    twice is fine."""

    def __init__(self, gate: AdmissionControl) -> None:
        self._gate = gate
        self._bytes = 0
        self._runs = False
        self._held: list[Future[Any]] = []
        self.left = False
        #: The task to cancel when the server can't wait for it.
        self.task: asyncio.Task[None] | None = None

    def took(self, count: int) -> None:
        """Count received bytes. ``Refusal`` 429 when all requests together exceed the limit."""
        gate = self._gate
        if gate._reading_bytes + count > gate._max_reading_bytes:
            raise _too_much_sent()
        self._bytes += count
        gate._reading_bytes += count

    def enter(self) -> None:
        """The request is complete. ``Refusal`` 429 if all slots were taken meanwhile."""
        self._sent()
        self._gate._check_room()
        self._gate._inside.add(self)

    async def run(self) -> None:
        """Wait for this request's turn to run."""
        await self._gate._to_run.acquire()
        self._runs = True
        self._gate._running += 1

    def hold(self, work: Future[Any]) -> None:
        """Work in a thread for this request: the slot stays taken until it ends, or more would
        run than allowed."""
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
    """Called from a thread; if the loop is closed by now, there is no slot to free."""
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
