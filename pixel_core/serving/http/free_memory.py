"""Returns free memory to the system, so that one large picture does not inflate the process
for the rest of the server's life: ``pixel serve`` and ``pixel demo``.

glibc keeps freed memory in an arena per thread and returns only what lies at an arena's
top: a few pictures of 50 million pixels left 0.8 GB unused. ``malloc_trim`` returns the
rest, except the tops of arenas other than the first thread's, some 20 MB each
(malloc/malloc.c, ``mtrim``). So we keep arenas few: the page of ``pixel demo`` decodes in 40
threads.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path

#: Number of ``mallopt`` (malloc.h), and how many arenas threads share.
_ARENA_MAX, _ARENAS = -8, 4
#: Bytes of growth over the lowest level seen that make a trim worthwhile.
_GROWN = 32 << 20
#: Seconds to wait after a request's end, for others to release its pictures; the second
#: wait is for those that were not done.
_PAUSES_S = (0.2, 1.0)
_STATM = Path("/proc/self/statm")


def resident() -> int:
    """Resident bytes of this process; 0 if the system does not say."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class FreeMemory:
    """Returns free memory some time after ``look`` is called, if the process has grown.

    Does nothing without glibc. ``close`` ends its thread.
    """

    def __init__(self) -> None:
        self._trim = _trimming()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._least = 0
        if self._trim is not None:
            self._least = resident()
            threading.Thread(target=self._run, name="free-memory", daemon=True).start()

    def look(self) -> None:
        """A request has ended. Fast; safe from any thread."""
        self._wanted.set()

    def close(self) -> None:
        self._closed.set()
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            for pause in _PAUSES_S:
                if self._closed.wait(pause):
                    return
                if self._trim is not None and resident() > self._least + _GROWN:
                    self._trim(0)
                    # Memory in use by others just now may be free next time.
                    self._least = min(self._least, resident())


def _trimming() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``, which returns free memory of all arenas; also limits the
    number of arenas from here on."""
    if not _STATM.exists():
        return None
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.mallopt(_ARENA_MAX, _ARENAS)
    return getattr(library, "malloc_trim", None)
