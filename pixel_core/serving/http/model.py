"""Threads for what would hold up the event loop, and that hold up no process's end.

The standard library's pool is joined when the interpreter ends, whatever its threads do then:
a decoder can't be told to stop.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_Work = tuple[Future[Any], Callable[[], Any]]


class Threads:
    """``count`` of them, named ``name``; they do what they are given in its order."""

    def __init__(self, count: int, name: str) -> None:
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[], T], hold: Callable[[Future[T]], None]) -> T:
        """What it returns or raises. Given up in the line, it is not begun; begun, it goes on,
        and who has to know gets it (``hold``)."""
        future: Future[T] = Future()
        hold(future)
        self._work.put((future, work))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """What is under way is left alone."""
        for _ in range(self._count):
            self._work.put(None)

    def _run(self) -> None:
        while (given := self._work.get()) is not None:
            future, work = given
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del given, future, work  # or a picture stays until the next work comes
