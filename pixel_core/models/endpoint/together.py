"""Calls that wait for a network, made side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from pixel_core.models.endpoint.throttle import Stopped

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]], at_once: int) -> list[T]:
    """What the calls return, in their order; ``at_once`` threads make them.

    The first error of a call is raised at once, and no further call begins; ``Stopped`` only
    when no call has another reason. Calls under way then, or when the caller is interrupted,
    end by themselves: the threads are daemons, so that nobody who leaves has to wait.
    """
    todo: queue.SimpleQueue[tuple[int, Callable[[], T]]] = queue.SimpleQueue()
    for numbered in enumerate(calls):
        todo.put(numbered)
    count = todo.qsize()
    ended: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                number, call = todo.get_nowait()
            except queue.Empty:
                return
            try:
                ended.put((number, call(), None))
            except BaseException as error:  # noqa: BLE001 - raised where results are read
                ended.put((number, None, error))

    for _ in range(min(at_once, count)):
        threading.Thread(target=work, name="endpoint", daemon=True).start()
    results: dict[int, T] = {}
    stopped: Stopped | None = None
    try:
        for _ in range(count):
            number, result, error = ended.get()
            if isinstance(error, Stopped):
                stopped = error  # the failed one stopped the others first; its error comes next
            elif error is not None:
                raise error
            results[number] = result  # type: ignore[assignment]
    finally:
        over.set()
    if stopped is not None:
        raise stopped
    return [results[number] for number in range(count)]
