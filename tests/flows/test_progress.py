"""What people read while a stage works."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flows.cli.terminal import PlainProgress, Terminal
from tasks.pace import Pace, duration, metrics_line


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_counts_only_what_was_done_in_this_time() -> None:
    """A stage that resumes at 80 of 100 and does 2 a second needs 5 s more at 90."""
    clock = Clock()
    pace = Pace(clock)
    pace.update(80, 100)
    assert pace.seconds_left() is None
    clock.now += 5
    pace.update(90, 100)
    assert pace.seconds_left() == pytest.approx(5.0)
    clock.now += 2  # it keeps counting down between updates
    assert pace.seconds_left() == pytest.approx(3.0)
    clock.now += 60  # and never goes below nothing
    assert pace.seconds_left() == 0.0


def test_a_second_phase_starts_its_own_estimate() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.update(0, 100)
    clock.now += 1
    pace.update(100, 100)
    clock.now += 50
    pace.update(0, 10)
    clock.now += 2
    pace.update(1, 10)
    assert pace.seconds_left() == pytest.approx(18.0)


@given(st.floats(min_value=0, max_value=1e6))
def test_durations_read_back_to_the_second(seconds: float) -> None:
    text = duration(seconds)
    if text.endswith(" s"):
        assert float(text.removesuffix(" s")) == pytest.approx(seconds, abs=0.51)
        assert seconds < 60
        return
    total = 0
    for part in text.split(":"):
        total = 60 * total + int(part)
    assert total == pytest.approx(seconds, abs=0.51)


def test_metrics_are_short() -> None:
    assert metrics_line({"loss": 0.123456, "op_errors": 3}) == "loss 0.123  op errors 3"


def test_plain_lines_come_every_few_seconds_with_the_latest_values() -> None:
    out = io.StringIO()
    clock = Clock()
    progress = PlainProgress(Console(file=out), "rl", interval_s=5.0, clock=clock)
    for step in range(1, 21):
        clock.now += 1
        progress.update(step, 40, accuracy=step / 40, rapr=0.5)
    progress.note("a sentence")
    assert out.getvalue().splitlines() == [
        "  rl 5/40  accuracy 0.125  rapr 0.5  35 s left",
        "  rl 10/40  accuracy 0.25  rapr 0.5  30 s left",
        "  rl 15/40  accuracy 0.375  rapr 0.5  25 s left",
        "  rl 20/40  accuracy 0.5  rapr 0.5  20 s left",
        "  rl: a sentence",
    ]


def test_a_terminal_shows_steps_and_metrics_live() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with Terminal(console).watch("sft") as progress:
        progress.update(30, 120, loss=0.5)
    assert "30/120" in out.getvalue()
    assert "loss 0.5" in out.getvalue()
