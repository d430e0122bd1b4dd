"""One question asked twice of the same model: with its operations, and without."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from pixel_core.errors import PixelError
from pixel_core.records import Step, StopReason
from pixel_core.serving.answer import Answer, AnswerStep
from pixel_core.serving.media import Seen
from pixel_core.serving.reasoner import Reasoner
from pixel_core.serving.request_handle import Event, RequestHandle

_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Course:
    """Progress of one of the two runs, in the form the viewer draws (``Told``)."""

    asked: bool = False
    steps: tuple[Step, ...] = ()
    stop: StopReason | None = None
    answer: str = ""
    operations: int = 0
    failed_operations: int = 0
    #: From submission to the answer.
    seconds: float = 0.0
    #: Why there is no answer; "" while unknown.
    error: str = ""

    @property
    def over(self) -> bool:
        return self.stop is not None or bool(self.error)

    def after(self, event: Event) -> Course:
        """This course after ``event``. Raises errors other than ``PixelError``."""
        if isinstance(event, AnswerStep):
            done = event.box is not None or bool(event.frames)
            return replace(
                self,
                steps=(*self.steps, event.record),
                operations=self.operations + done,
                failed_operations=self.failed_operations + bool(event.error),
            )
        if isinstance(event, Answer):
            return replace(
                self,
                stop=event.stop,
                answer=event.text,
                operations=event.operations,
                failed_operations=event.failed_operations,
                seconds=event.seconds,
            )
        if isinstance(event, PixelError):
            return replace(self, error=str(event))
        raise event


@dataclass(frozen=True)
class AnswerPair:
    """The two columns."""

    looking: Course = Course()
    plain: Course = Course()

    @property
    def over(self) -> bool:
        return self.looking.over and self.plain.over


def ask_both(
    reasoner: Reasoner, seen: Seen, question: str, *, seconds: float
) -> Iterator[AnswerPair]:
    """Yield the state of both: after each turn of either and once a second, until both end.

    ``seconds``: the limit for each. Raises what ``Reasoner.submit`` raises. Closing the
    iterator cancels both.
    """
    heard: queue.SimpleQueue[tuple[str, Event]] = queue.SimpleQueue()
    handles: dict[str, RequestHandle] = {}
    try:
        for column, operations in (("looking", True), ("plain", False)):
            handle = reasoner.submit(seen, question, operations=operations, seconds=seconds)
            handles[column] = handle
            handle.listen(partial(_tell, heard, column))
        pair = AnswerPair(Course(asked=True), Course(asked=True))
        yield pair
        while not pair.over:
            for column, event in _next(heard, handles):
                pair = replace(pair, **{column: getattr(pair, column).after(event)})
            yield pair
    finally:
        for handle in handles.values():
            handle.cancel()


def _tell(heard: queue.SimpleQueue[tuple[str, Event]], column: str, event: Event) -> None:
    heard.put((column, event))


def _next(
    heard: queue.SimpleQueue[tuple[str, Event]], handles: dict[str, RequestHandle]
) -> list[tuple[str, Event]]:
    """The next event; after a second without one, the timeouts of expired requests, if any."""
    try:
        return [heard.get(timeout=_PATIENCE_S)]
    except queue.Empty:
        return [
            (column, handle.timed_out())
            for column, handle in handles.items()
            if handle.expired and not handle.over
        ]
