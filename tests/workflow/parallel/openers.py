"""What actors do in tests of the pool; importable by them, and light."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from pixel_core.errors import DataError


def squares() -> Callable[[int], tuple[int, int]]:
    """n to its square and the process that made it."""
    return lambda n: (n * n, os.getpid())


def dying(folder: Path, times: int) -> Callable[[int], int]:
    """Squares, but item 2 is killed while it is worked on, so many times."""

    def work(n: int) -> int:
        with (folder / f"begun-{n}").open("a") as begun:
            begun.write(f"{os.getpid()}\n")
        if n == 2 and len((folder / "begun-2").read_text().split()) <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return n * n

    return work


def unopened() -> Callable[[int], int]:
    raise DataError("there is no model in that folder")


def faulty() -> Callable[[int], float]:
    return lambda n: 1 / n


def unsendable() -> Callable[[int], object]:
    """An answer that cannot be pickled."""
    return lambda n: threading.Lock()


def lasting(folder: Path) -> Callable[[int], int]:
    """Item 0 is done at once, the others never."""

    def work(n: int) -> int:
        (folder / f"pid-{n}").write_text(str(os.getpid()))
        while n:
            signal.pause()
        return n

    return work
