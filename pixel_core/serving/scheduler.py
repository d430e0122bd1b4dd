"""How busy a conductor is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """How a conductor stands, and what it did since it began."""

    active: int = 0
    waiting: int = 0
    answered: int = 0
    cancelled: int = 0
    timed_out: int = 0
    #: Questions that ended with an error, other than the two above.
    failed: int = 0
    #: Questions that were not taken because too many waited.
    refused: int = 0
    turns: int = 0
    tokens: int = 0
    operations: int = 0
    failed_operations: int = 0
    rounds: int = 0
    #: Inside the engine, and in rounds as a whole, letting in who is new included.
    engine_seconds: float = 0.0
    round_seconds: float = 0.0
