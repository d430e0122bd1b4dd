"""So many in any minute, on a clock that the test moves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.data.annotation.live import Rate

few = settings(max_examples=30, deadline=None)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sent(rate: Rate, clock: Clock, asks: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When each request goes out, given the pauses between them and their units."""
    times = []
    for pause, units in asks:
        clock.now += pause
        times.append((clock.now + rate.take(units), units))
    return times


asks = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=60)


@few
@given(st.integers(30, 500), asks)
def test_no_minute_has_more_than_its_amount(
    per_minute: int, asked: list[tuple[float, int]]
) -> None:
    clock = Clock()
    times = sent(Rate(per_minute, clock), clock, asked)
    # One that is larger than what may come at once was waited for, but is not cut up.
    largest = max(units for _, units in times)
    most = per_minute + (largest if largest > per_minute / 30 else 0)
    for start, _ in times:
        within = sum(units for at, units in times if start <= at < start + 60 - 1e-6)
        assert within <= most


@few
@given(st.integers(30, 600))
def test_the_amount_is_used(per_minute: int) -> None:
    clock = Clock()
    rate = Rate(per_minute, clock)
    begun = clock.now
    last = max(at for at, _ in sent(rate, clock, [(0.0, 1)] * (10 * per_minute)))
    assert 9.5 * 60 < last - begun <= 10 * 60 * (1 + 1 / 25)


def test_after_a_rest_only_a_burst_comes_at_once() -> None:
    clock = Clock()
    rate = Rate(600, clock)
    clock.now += 3600
    waits = [rate.take() for _ in range(40)]
    assert max(waits[:20]) < 1e-9
    assert waits[20] > 0.05


def test_no_bound_never_waits() -> None:
    rate = Rate(0)
    assert [rate.take(10**6) for _ in range(3)] == [0.0] * 3


def test_one_larger_than_a_minute_waits_until_it_is_paid_for() -> None:
    clock = Clock()
    rate = Rate(1000, clock)
    assert 60 < rate.take(2000) <= 125
