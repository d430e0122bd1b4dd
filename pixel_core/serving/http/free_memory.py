"""Memory that is free is given back to the system, so that one large picture does not count for
as long as a server runs: ``pixel serve`` and ``pixel demo``.

glibc keeps what threads have freed, in an arena each, and hands back only what lies at an
arena's top: a few pictures of 50 million pixels left 0.8 GB that nothing used. ``malloc_trim``
hands back the rest, but for the tops of arenas that are not the first thread's, some 20 MB each
(malloc/malloc.c, ``mtrim``). So there are few arenas: the page of ``pixel demo`` decodes in 40
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
#: Bytes beyond the least there ever was, before it is worth looking through the arenas.
_GROWN = 32 << 20
#: Seconds after a request's end: the last that hold its pictures are through with them, and a
#: second time for those that were not.
_PAUSES_S = (0.2, 1.0)
_STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of this process that lie in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class FreeMemory:
    """Gives memory back some time after ``look`` is called, if the process has grown.

    Does nothing where the C library is not glibc. ``close`` ends its thread.
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
        """A request has ended. Quick, from any thread."""
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
                    # Of what others use just now, some is free at the next look.
                    self._least = min(self._least, resident())


def _trimming() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``, which gives back what is free in all arenas; from here on these
    stay few."""
    if not _STATM.exists():
        return None
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.mallopt(_ARENA_MAX, _ARENAS)
    return getattr(library, "malloc_trim", None)
