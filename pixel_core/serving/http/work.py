"""The work of one request, in a task of its own: wait, decode, ask, put what happens in words.

The reply takes the words from here. So a client that reads slowly holds neither the engine,
nor a place to run, nor a picture; and one that goes away frees them all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, Protocol

from pixel_core.errors import PixelError, TimedOut
from pixel_core.serving.answer import Answer
from pixel_core.serving.http.chat_request import ChatRequest
from pixel_core.serving.http.errors import Refusal, refusal_of
from pixel_core.serving.http.gate import Slot, stopping
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.reply import DONE, ReplyWriter, event
from pixel_core.serving.question import Question
from pixel_core.serving.request_handle import RequestHandle

log = logging.getLogger("pixel.serving")


class Model(Protocol):
    """What answers."""

    @property
    def name(self) -> str: ...

    async def open(self, asked: ChatRequest, seconds: float, place: Slot) -> Question:
        """Decode, and make ready to be shown, off the event loop, in work that the place
        holds. Raises ``MediaError``, and ``TimedOut`` where that takes over ``seconds``."""

    def submit(self, question: Question) -> RequestHandle: ...


@dataclass(frozen=True)
class Ended:
    """The last that is told. ``body``: the whole completion, where it is not streamed."""

    body: dict[str, Any] | None = None
    refusal: Refusal | None = None


#: A piece of a stream, or the end.
Told = bytes | Ended


class CompletionTask:
    """``deadline``: of ``time.monotonic``. Leaves ``place`` when it ends, however it ends."""

    def __init__(self, model: Model, place: Slot, metrics: Metrics, deadline: float) -> None:
        self._model = model
        self._place = place
        self._metrics = metrics
        self._deadline = deadline
        self._began = time.monotonic()
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self, asked: ChatRequest, writer: ReplyWriter) -> None:
        self._task = self._place.task = asyncio.create_task(self._run(asked, writer))
        self._task.add_done_callback(self._over)

    def stop(self) -> None:
        """Nobody waits any more."""
        if self._task is not None:
            self._task.cancel()

    async def next(self, seconds: float | None = None) -> Told | None:
        """What is told next; None if nothing is for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._told.get()
        except TimeoutError:
            return None

    async def _run(self, asked: ChatRequest, writer: ReplyWriter) -> None:
        try:
            async with asyncio.timeout(self._left()):
                await self._place.run()
                question = await self._model.open(asked, self._left(), self._place)
            stream, usage = asked.stream, asked.include_usage
            # It holds the pictures as they were sent.
            del asked
            await self._ask(question, writer, stream, usage)
        except TimeoutError:
            self._refuse(refusal_of(too_late()))
        except PixelError as error:
            self._refuse(refusal_of(error))
        except Exception:
            log.exception("%s: a mistake of the server's own", writer.id)
            self._refuse(our_fault())

    async def _ask(
        self, question: Question, writer: ReplyWriter, stream: bool, usage: bool
    ) -> None:
        ticket = self._model.submit(question)
        try:
            async for happening in ticket.events_async():
                if not isinstance(happening, Answer):
                    if stream:
                        self._told.put_nowait(event(writer.turn(happening)))
                    continue
                self._count(happening)
                if stream:
                    self._told.put_nowait(event(writer.last(happening)))
                    if usage:
                        self._told.put_nowait(event(writer.usage(happening)))
                    self._told.put_nowait(DONE)
                self._told.put_nowait(Ended(None if stream else writer.whole(happening)))
        finally:
            ticket.cancel()

    def _count(self, answer: Answer) -> None:
        steps = tuple(step.record for step in answer.steps)
        self._metrics.ended(answer.stop, steps, answer.prompt_tokens, answer.tokens)
        self._metrics.answered(time.monotonic() - self._began)

    def _over(self, task: asyncio.Task[None]) -> None:
        """Also for a task that was cancelled before it began, which runs none of its code."""
        self._place.leave()
        if task.cancelled():
            self._refuse(stopping())

    def _refuse(self, refusal: Refusal) -> None:
        self._told.put_nowait(Ended(refusal=refusal))

    def _left(self) -> float:
        return max(0.001, self._deadline - time.monotonic())


def too_late() -> TimedOut:
    return TimedOut(
        "the time of a request was over before its answer: ask when fewer questions are under "
        "way, or start the server with a longer --timeout"
    )


def our_fault() -> Refusal:
    return Refusal(500, "the server made a mistake; its log says more", code="internal_error")
