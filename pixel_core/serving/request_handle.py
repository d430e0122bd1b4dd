"""The asker's handle while the answer is made: steps as they come, and cancellation."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

from pixel_core.errors import Cancelled, TimedOut
from pixel_core.serving.answer import Answer, AnswerStep

#: Events of a question: steps, then one answer or one error.
Event = AnswerStep | Answer | Exception


class RequestHandle:
    """One submitted question. Thread-safe; an asker that stops listening frees its place.

    Events are few (one per turn) and are queued here for a slow asker, so the engine never
    waits.
    """

    def __init__(self, seconds: float | None, leave: Callable[[RequestHandle], None]) -> None:
        self.began = time.monotonic()
        self.deadline = None if seconds is None else self.began + seconds
        self._seconds = seconds
        self._leave = leave
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._listener: Callable[[Event], None] | None = None
        self._cancelled = False

    @property
    def over(self) -> bool:
        """Whether the final event, an answer or an error, has arrived."""
        return bool(self._events) and not isinstance(self._events[-1], AnswerStep)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def cancel(self) -> None:
        """The asker is gone; a waiting question ends with ``Cancelled``. No step arrives after
        this returns, though a turn under way is still generated."""
        with self._lock:
            if self.over or self._cancelled:
                return
            self._cancelled = True
        self._leave(self)

    def put(self, event: Event) -> None:
        """Called by the scheduler to report an event. Nothing follows an answer or an error."""
        with self._lock:
            if self.over:
                return
            self._events.append(event)
            if self._listener is not None:
                self._listener(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Receive all events, past ones first. The listener runs in the engine's thread, so it
        must neither block nor raise. A second listener replaces the first."""
        with self._lock:
            self._listener = listener
            for event in self._events:
                listener(event)

    def events(self) -> Iterator[AnswerStep | Answer]:
        """Wait for the steps and, last, the answer; raises what ended the question.

        ``TimedOut`` as soon as its time is over, whatever the engine is doing.
        """
        heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.listen(heard.put)
        try:
            while True:
                try:
                    event = heard.get(timeout=self._left())
                except queue.Empty:
                    raise self.timed_out() from None
                yield _checked(event)
                if isinstance(event, Answer):
                    return
        finally:
            self.cancel()

    async def events_async(self) -> AsyncIterator[AnswerStep | Answer]:
        """``events`` for an event loop; never blocks it."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[Event] = asyncio.Queue()

        def tell(event: Event) -> None:
            try:
                loop.call_soon_threadsafe(heard.put_nowait, event)
            except RuntimeError:
                self._cancelled = True  # the loop is closed: the asker is gone

        self.listen(tell)
        try:
            while True:
                try:
                    event = await _next(heard, self._left())
                except TimeoutError:
                    raise self.timed_out() from None
                yield _checked(event)
                if isinstance(event, Answer):
                    return
        finally:
            self.cancel()
            # It refers to the handle: a cycle that would keep the pictures until collected.
            self._listener = None

    def answer(self) -> Answer:
        """Wait for the answer only; raises like ``events``."""
        for event in self.events():
            if isinstance(event, Answer):
                return event
        raise AssertionError("events end with an answer or an error")

    def timed_out(self) -> TimedOut:
        seconds = float(f"{self._seconds:.3g}")  # what reading left is fractional
        return TimedOut(
            f"no answer within {seconds:g} s: allow more time, or ask when fewer "
            "questions are under way"
        )

    def _left(self) -> float | None:
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - time.monotonic())


def cancelled() -> Cancelled:
    return Cancelled("the question was given up before its answer")


async def _next(heard: asyncio.Queue[Event], seconds: float | None) -> Event:
    """An event that has arrived is returned even after the timeout, as by a blocking queue."""
    if not heard.empty():
        return heard.get_nowait()
    return await asyncio.wait_for(heard.get(), seconds)


def _checked(event: Event) -> AnswerStep | Answer:
    if isinstance(event, Exception):
        raise event
    return event
