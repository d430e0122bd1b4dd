"""A point in time until which work may go on; long work checks it regularly."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from pixel_core.errors import TimedOut


@dataclass(frozen=True)
class Deadline:
    """``at``: a ``time.monotonic`` value; None: no limit."""

    at: float | None = None

    @classmethod
    def within(cls, seconds: float | None) -> Self:
        return cls(None if seconds is None else time.monotonic() + seconds)

    @property
    def left(self) -> float | None:
        """Seconds left, at least 0."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raises ``TimedOut``."""
        if self.at is not None and time.monotonic() >= self.at:
            raise TimedOut(
                "the time was over before all pictures were read: show fewer, smaller or "
                "shorter ones, or allow more time"
            )


NEVER = Deadline()
