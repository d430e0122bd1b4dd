"""How far a stage is, in words: steps, latest metrics, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class Pace:
    """Time left from the work done since the first update of a phase.

    A resumed stage starts at its checkpoint, so what was done before does not count as
    done in this time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self._latest: tuple[float, int, int] | None = None

    def update(self, done: int, total: int) -> None:
        now = self._clock()
        last = self._latest
        if self._first is None or last is None or done < last[1] or total != last[2]:
            self._first = (now, done)  # the start, or the start of another phase
        self._latest = (now, done, total)

    def rate(self) -> float | None:
        """Steps a second; None before a second update has shown a speed."""
        if self._first is None or self._latest is None:
            return None
        began, start = self._first
        at, done, _ = self._latest
        return (done - start) / max(at - began, 1e-9) if done > start else None

    def seconds_left(self) -> float | None:
        """None before a second update has shown a speed."""
        rate = self.rate()
        if rate is None or self._latest is None:
            return None
        at, done, total = self._latest
        return max((total - done) / rate - (self._clock() - at), 0.0)


def duration(seconds: float) -> str:
    """``4.2 s`` under ten seconds, then ``42 s``, ``3:05`` (minutes), ``1:02:09``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """``loss 0.312  accuracy 0.75``: three significant digits, whole numbers whole."""
    return "  ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, int) else f'{value:.3g}'}"
        for name, value in metrics.items()
    )
