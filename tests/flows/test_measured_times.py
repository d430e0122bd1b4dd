"""What a person is told of a stage's time, and of a machine that is slower."""

from __future__ import annotations

import pytest

from flows.measured_times import MeasuredTimes, PacedProgress, measured_times
from pixel_core.config.profile import load_profile
from pixel_core.workflow.table import STAGES

ALL = [stage.name for stage in STAGES]


class Heard:
    """A progress that remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.updates = 0

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates += 1

    def note(self, text: str) -> None:
        self.notes.append(text)


def told(seconds: float, step_s: float, steps: int = 200) -> list[str]:
    """Notes of a stage of so many steps that was measured to take ``seconds``."""
    now = [0.0]
    heard = Heard()
    times = MeasuredTimes("some machine", {"sft": seconds, "rl": 100.0})
    progress = PacedProgress("sft", heard, times, clock=lambda: now[0])
    for step in range(steps):
        now[0] += step_s
        progress.update(step + 1, steps)
    assert heard.updates == steps
    return heard.notes


def test_a_stage_says_how_long_it_took_where_it_was_measured() -> None:
    assert told(100.0, step_s=0.5) == ["about 1:40 on some machine"]


def test_a_much_slower_machine_is_told_so_once() -> None:
    first, second = told(100.0, step_s=2.0)
    assert first == "about 1:40 on some machine"
    assert "4.0 times slower" in second
    assert "6:40 for this stage" in second
    assert "13:20 for the run" in second


@pytest.mark.parametrize(("seconds", "step_s"), [(100.0, 0.6), (100.0, 0.1), (10.0, 5.0)])
def test_no_more_is_said_of_a_machine_that_keeps_up_or_of_a_short_stage(
    seconds: float, step_s: float
) -> None:
    assert not [note for note in told(seconds, step_s) if "slower" in note]


def test_the_default_profile_has_measured_times_for_what_takes_long() -> None:
    times = measured_times(load_profile("tiny"), ALL)
    assert times is not None
    assert {"base_model", "sft", "rl"} <= set(times.seconds)
    assert times.total == pytest.approx(sum(times.seconds.values()))


def test_other_settings_have_no_measured_time() -> None:
    changed = measured_times(load_profile("tiny", ["rl.steps=10"]), ALL)
    assert changed is not None
    assert "rl" not in changed.seconds
    assert "sft" in changed.seconds
    assert measured_times(load_profile("tiny", ["runtime.workers=1"]), ALL) is None
    assert measured_times(load_profile("smoke"), ALL) is None
    assert measured_times(load_profile("tiny"), []) is None
