"""A chat completion: from a request to its response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.chat_request import ChatRequest, read_request
from pixel_core.serving.http.errors import refusal_of
from pixel_core.serving.http.gate import AdmissionControl, Slot, stopping
from pixel_core.serving.http.json_body import parse, read_body
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.reply import STILL_HERE, ReplyWriter, event
from pixel_core.serving.http.work import CompletionTask, Ended, Model, Told, too_late

T = TypeVar("T")

#: A stream's status is held back so long for a first turn, or for what prevents it: after the
#: status an error can only be told in the stream.
_FIRST_S = 5.0
#: A stream in which nothing happens for so long says that it is alive.
_SILENCE_S = 15.0


@dataclass(frozen=True)
class Completions:
    model: Model
    gate: AdmissionControl
    limits: Limits
    metrics: Metrics

    async def reply(self, request: Request) -> Response:
        """The response. Raises ``Refusal``, and ``ClientDisconnect`` when nobody waits for it
        any more."""
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
            reading.uncancel()  # there is a reply to send yet
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
    """The stream, from what was told first on."""
    yield event(writer.first())
    while True:
        if isinstance(told, Ended):
            if told.refusal is not None:
                yield event(told.refusal.body())
            return
        yield STILL_HERE if told is None else told
        told = await work.next(_SILENCE_S)


class _Stream(StreamingResponse):
    """Server-sent events. When it ends early (the client went away), so does the work."""

    def __init__(self, pieces: AsyncIterator[bytes], work: CompletionTask) -> None:
        # Proxies shall pass on each turn when it comes.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(pieces, media_type="text/event-stream", headers=headers)
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.stop()


async def _unless_gone(request: Request, waiting: Coroutine[None, None, T]) -> T:
    """What is waited for. ``ClientDisconnect`` when the client goes away first."""
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
