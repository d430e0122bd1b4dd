"""A chat completion: from a request to its response."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pixel_core.errors import PixelError, TimedOut
from pixel_core.serving.answer import Answer
from pixel_core.serving.http.admission import AdmissionControl, Limits, Slot, stopping
from pixel_core.serving.http.chat_request import ChatRequest, read_request
from pixel_core.serving.http.errors import Refusal, refusal_of
from pixel_core.serving.http.json_body import parse, read_body
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.reply import DONE, STILL_HERE, ReplyWriter, event
from pixel_core.serving.question import Question
from pixel_core.serving.request_handle import RequestHandle

# One request's work, in its own task: wait, decode, ask, write the events.
#
# The reply reads events from here. So a slow client holds neither the engine, nor a slot, nor
# a picture; and one that disconnects frees them all.


log = logging.getLogger("pixel.serving")


class Model(Protocol):
    """The model that answers."""

    @property
    def name(self) -> str: ...

    async def open(self, asked: ChatRequest, seconds: float, place: Slot) -> Question:
        """Decode and prepare the media off the event loop, in threads held by the slot.
        Raises ``MediaError``, and ``TimedOut`` if that takes over ``seconds``."""

    def submit(self, question: Question) -> RequestHandle: ...


@dataclass(frozen=True)
class Ended:
    """The last event. ``body``: the whole completion if it is not streamed."""

    body: dict[str, Any] | None = None
    refusal: Refusal | None = None


#: A piece of a stream, or the end.
Told = bytes | Ended


class CompletionTask:
    """``deadline``: of ``time.monotonic``. Leaves ``place`` however it ends."""

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
        """Cancel: the client is gone."""
        if self._task is not None:
            self._task.cancel()

    async def next(self, seconds: float | None = None) -> Told | None:
        """The next event; None after ``seconds`` without one."""
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
            # The request holds the encoded pictures.
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
        handle = self._model.submit(question)
        try:
            async for happening in handle.events_async():
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
            handle.cancel()

    def _count(self, answer: Answer) -> None:
        steps = tuple(step.record for step in answer.steps)
        self._metrics.ended(answer.stop, steps, answer.prompt_tokens, answer.tokens)
        self._metrics.answered(time.monotonic() - self._began)

    def _over(self, task: asyncio.Task[None]) -> None:
        """Also called for a task cancelled before it began, which runs none of its code."""
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


T = TypeVar("T")

#: How long to hold back a stream's status for a first turn or an error: after the status,
#: an error can only be sent in the stream.
_FIRST_S = 5.0
#: A stream sends a sign of life after this long without an event.
_SILENCE_S = 15.0


@dataclass(frozen=True)
class Completions:
    model: Model
    gate: AdmissionControl
    limits: Limits
    metrics: Metrics

    async def reply(self, request: Request) -> Response:
        """The response. Raises ``Refusal``, and ``ClientDisconnect`` when the client has
        gone."""
        deadline = time.monotonic() + self.limits.timeout_s
        place = self.gate.admit()
        try:
            asked = await self._read(request, place)
            seed = asked.seed if asked.temperature > 0 else None
            writer, stream = ReplyWriter(self.model.name, asked.ignored, seed), asked.stream
            work = CompletionTask(self.model, place, self.metrics, deadline)
            work.start(asked, writer)
        except BaseException:
            place.leave()
            raise
        del asked
        try:
            if stream:
                first = await _unless_gone(request, work.next(_FIRST_S))
                if isinstance(first, Ended) and first.refusal:
                    raise first.refusal
                return _Stream(_pieces(work, writer, first), work)
            return JSONResponse(await _unless_gone(request, _body(work)))
        except BaseException:
            work.stop()
            raise

    async def _read(self, request: Request, place: Slot) -> ChatRequest:
        limits, name = self.limits, self.model.name
        place.task = reading = asyncio.current_task()
        try:
            async with asyncio.timeout(limits.timeout_s):
                body = await read_body(request, limits, place.took)
                place.enter()
                return await asyncio.to_thread(lambda: read_request(parse(body), name, limits))
        except TimeoutError:
            raise refusal_of(too_late()) from None
        except asyncio.CancelledError:
            if not (self.gate.cleared and reading):
                raise
            reading.uncancel()  # a reply must still be sent
            raise stopping() from None


async def _body(work: CompletionTask) -> object:
    told = await work.next()
    assert isinstance(told, Ended)
    if told.refusal is not None:
        raise told.refusal
    return told.body


async def _pieces(
    work: CompletionTask, writer: ReplyWriter, told: Told | None
) -> AsyncIterator[bytes]:
    """The stream, starting with the event ``told``."""
    yield event(writer.first())
    while True:
        if isinstance(told, Ended):
            if told.refusal is not None:
                yield event(told.refusal.body())
            return
        yield STILL_HERE if told is None else told
        told = await work.next(_SILENCE_S)


class _Stream(StreamingResponse):
    """Server-sent events. If the client disconnects early, the work is cancelled."""

    def __init__(self, pieces: AsyncIterator[bytes], work: CompletionTask) -> None:
        # Proxies should pass on each turn when it arrives.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(pieces, media_type="text/event-stream", headers=headers)
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.stop()


async def _unless_gone(request: Request, waiting: Coroutine[None, None, T]) -> T:
    """The coroutine's result. ``ClientDisconnect`` if the client disconnects first."""
    task = asyncio.create_task(waiting)
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
