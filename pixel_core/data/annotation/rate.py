"""At most so many things in any minute: a token bucket that tells how long to wait.

Kept as the time at which all that was taken is paid off (the generic cell rate algorithm),
so that there is no clock tick and no queue: what is taken now is ready at a known moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MINUTE = 60.0
#: The share of a minute's amount that may come at once after a rest.
_BURST = 1 / 30


class Rate:
    """``per_minute`` units in any 60 s, the burst included; 0: no bound.

    A thing larger than the burst waits until it is paid for, then goes as a whole: with it a
    minute may have as much more as it is large. Safe to use from several
    threads; whoever takes first goes first.
    """

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, least: float = 1.0
    ) -> None:
        burst = min(max(per_minute * _BURST, least), per_minute)
        #: Seconds a unit takes, such that the burst and a minute's flow make the amount.
        self._unit = 0.0
        if per_minute:
            flow = per_minute - burst
            self._unit = _MINUTE / flow if flow > 0 else _MINUTE / per_minute
        self._tolerance = burst * self._unit if per_minute > burst else 0.0
        self._clock = clock
        self._paid = clock()
        self._lock = threading.Lock()

    def take(self, units: float = 1.0) -> float:
        """Seconds to wait before going ahead with this many units, which are taken."""
        if not self._unit:
            return 0.0
        with self._lock:
            now = self._clock()
            self._paid = max(self._paid, now) + units * self._unit
            return max(0.0, self._paid - self._tolerance - now)
