"""What an asker holds while the answer is made: the steps as they come, and a way out."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

from pixel_core.errors import Cancelled, TimedOut
from pixel_core.serving.answer import Answer, AnswerStep

#: What happens to a question: steps, then one answer or one error.
Event = AnswerStep | Answer | Exception


class RequestHandle:
    """One question that was taken. Any thread may hold it; an asker that stops listening
    gives its place free.

    Events are few (a turn each), and wait here for a slow asker: the engine never does.
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
        """Whether the last event, an answer or an error, has come."""
        return bool(self._events) and not isinstance(self._events[-1], AnswerStep)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def cancel(self) -> None:
        """Nobody waits any more; what was waiting ends with ``Cancelled``. No step comes
        after this returns, though a turn under way is still made."""
        with self._lock:
            if self.over or self._cancelled:
                return
            self._cancelled = True
        self._leave(self)

    def put(self, event: Event) -> None:
        """The scheduler's side: tell what happened. Nothing follows an answer or an error."""
        with self._lock:
            if self.over:
                return
            self._events.append(event)
            if self._listener is not None:
                self._listener(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Hear all events, those of the past first. Called from the engine's thread, so which
        it must neither hold up nor break. A second listener replaces the first."""
        with self._lock:
            self._listener = listener
            for event in self._events:
                listener(event)

    def events(self) -> Iterator[AnswerStep | Answer]:
        """Wait for the steps and, last, the answer; raises what ended the question.

        ``TimedOut`` when its time is over, at once, whatever the engine does.
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
        """``events`` for an event loop, which is never blocked."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[Event] = asyncio.Queue()

        def tell(event: Event) -> None:
            try:
                loop.call_soon_threadsafe(heard.put_nowait, event)
            except RuntimeError:
                self._cancelled = True  # the loop is closed: nobody is there any more

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
            # It holds the handle: a ring that would keep the pictures until it is collected.
            self._listener = None

    def answer(self) -> Answer:
        """Wait for the answer alone; raises as ``events`` does."""
        for event in self.events():
            if isinstance(event, Answer):
                return event
        raise AssertionError("events end with an answer or an error")

    def timed_out(self) -> TimedOut:
        seconds = float(f"{self._seconds:.3g}")  # of what reading left, a fraction
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
    """What came is heard even when the time is over, as a blocking queue has it."""
    if not heard.empty():
        return heard.get_nowait()
    return await asyncio.wait_for(heard.get(), seconds)


def _checked(event: Event) -> AnswerStep | Answer:
    if isinstance(event, Exception):
        raise event
    return event
