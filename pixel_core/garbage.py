"""Pauses garbage collection while Python source is parsed, or much is imported.

In CPython 3.11 and 3.12 all calls of ``ast.parse`` share one depth counter. A collection
during one may run a finaliser that parses (formatting a traceback does, for its carets), or
let another thread do so; the first call then ends in ``SystemError: AST constructor recursion
depth mismatch``. Without collections no other Python code runs during the call. Imports create
many objects that stay, so collecting during them is wasted work.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_was_on = False


@contextmanager
def garbage_kept() -> Iterator[None]:
    """No thread collects garbage inside; for work of a second or two. May nest."""
    global _inside, _was_on
    with _lock:
        if not _inside:
            _was_on = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _was_on:
                gc.enable()
