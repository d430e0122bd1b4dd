"""Which items a step takes: shuffled epochs, computed from the step alone."""

from __future__ import annotations

import random
from functools import lru_cache


class Order:
    """Shuffled epochs over ``count`` items; the position follows from the step."""

    def __init__(self, count: int, batch: int, stream: str) -> None:
        if count < 1:
            raise ValueError("there is nothing to put in order")
        self.count = count
        self.batch = batch
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self._stream = stream

    def at(self, step: int) -> list[int]:
        """The indices of a step's batch; it may reach into the next epoch."""
        places = range(step * self.batch, (step + 1) * self.batch)
        return [self._epoch(place // self.count)[place % self.count] for place in places]

    def _shuffled(self, epoch: int) -> list[int]:
        items = list(range(self.count))
        random.Random(f"{self._stream}/epoch {epoch}").shuffle(items)
        return items
