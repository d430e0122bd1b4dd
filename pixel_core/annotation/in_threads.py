"""A bounded number of threads over many items, given up at once when something fails."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

#: Seconds that items under way are waited for when the rest is given up.
GRACE_S = 2.0


def in_threads(
    function: Callable[[T], U], items: Sequence[T], threads: int
) -> Generator[tuple[int, U], None, None]:
    """Yield (position, result) as results come in; the first exception is raised here.

    On an exception, and when the caller stops early (Ctrl-C), no further item is begun, and
    those under way get ``GRACE_S`` to end well. The threads are daemons: a request that
    hangs does not keep the program from ending. Close the iterator (``contextlib.closing``)
    when leaving it early.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for position in range(len(items)):
        todo.put(position)
    results: queue.SimpleQueue[tuple[int, U | None, BaseException | None]]
    results = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                position = todo.get_nowait()
            except queue.Empty:
                return
            try:
                results.put((position, function(items[position]), None))
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                results.put((position, None, error))
                return

    workers = [
        threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(items)))
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in range(len(items)):
            position, result, error = results.get()
            if error is not None:
                raise error
            yield position, result  # type: ignore[misc]
    finally:
        stop.set()
        end = time.monotonic() + GRACE_S
        for worker in workers:
            worker.join(max(0.0, end - time.monotonic()))
