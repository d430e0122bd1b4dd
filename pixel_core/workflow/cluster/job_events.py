"""What a job tells the followers of its log: one line of JSON an event.

Everything else in the log (warnings of libraries, tracebacks) is told apart by the mark.
A follower may meet anything there: a line that is no event is an ordinary line.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MARK = "pixel-event "
#: Seconds between two updates; the last one of a phase is never held back.
INTERVAL_S = 0.5

Number = int | float


class JobEvent(BaseModel):
    """``number`` counts through a job's events from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Field(gt=0)]
    #: ``said``: of the run (waiting, running); ``note``: of the stage; ``end``: the last one.
    kind: Literal["update", "note", "said", "end"]
    done: int = 0
    total: int = 0
    metrics: Mapping[str, Number] = {}
    text: str = ""


def read_event(line: str) -> JobEvent | None:
    """The event in a line of the log; None for any other line.

    A progress bar of a library, which ends no line, may stand before it.
    """
    _, mark, rest = line.rpartition(MARK)
    if not mark:
        return None
    try:
        return JobEvent.model_validate_json(rest)
    except ValidationError:
        return None


class EventWriter:
    """A stage's ``Progress`` in a job; safe to use from several threads."""

    def __init__(self, out: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._next = float("-inf")
        self._held: dict[str, object] | None = None

    def update(self, done: int, total: int, **metrics: float) -> None:
        numbers = {
            name: value if isinstance(value, int) else float(value)
            for name, value in metrics.items()
        }
        values = {"done": done, "total": total, "metrics": numbers}
        with self._lock:
            now = self._clock()
            if now < self._next and done < total:
                self._held = values
                return
            self._held = None
            self._next = now + INTERVAL_S
            self._write("update", values)

    def note(self, text: str) -> None:
        self._tell("note", text)

    def say(self, text: str) -> None:
        self._tell("said", text)

    def end(self, text: str = "") -> None:
        self._tell("end", text)

    def _tell(self, kind: str, text: str) -> None:
        with self._lock:
            if self._held is not None:
                self._write("update", self._held)
                self._held = None
            self._write(kind, {"text": text})

    def _write(self, kind: str, values: Mapping[str, object]) -> None:
        self._number += 1
        event = {"number": self._number, "kind": kind, **values}
        self._out.write(f"{MARK}{json.dumps(event)}\n")
        self._out.flush()
