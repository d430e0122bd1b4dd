"""What a job says: events and lines told apart, each once, whatever else is in the log."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pixel_core.workflow.cluster.job_events import INTERVAL_S, EventWriter, JobEvent, read_event
from pixel_core.workflow.cluster.log_lines import LogLines
from tasks.page import JobLog


@dataclass
class Ear:
    """Everything heard, in order: an event's number, or a line."""

    heard: list[int | str] = field(default_factory=list)

    def lines(self) -> LogLines:
        return LogLines(lambda event: self.heard.append(event.number), self.heard.append)


def _event(line: bytes) -> JobEvent | None:
    return read_event(line.decode())


def written(*steps: int | str) -> bytes:
    """The log of a job: a note for each number, a plain line for each text."""
    out = io.StringIO()
    writer = EventWriter(out)
    for step in steps:
        if isinstance(step, str):
            out.write(f"{step}\n")
        else:
            writer.note(f"note {step}")
    return out.getvalue().encode()


@given(cut=st.integers(0, 400), tail=st.integers(1, 12))
def test_a_connection_made_again_repeats_nothing_and_misses_nothing(
    cut: int, tail: int
) -> None:
    """Cut after any byte; the last lines come again, as many as reach back to an event."""
    steps = ("a", 1, "b", 2, "c", "d", 3, "e", 4, "f", 5, "g")
    whole = written(*steps)
    before = whole[:cut]
    ear = Ear()
    lines = ear.lines()
    lines.connected(again=False)
    lines.feed(before)
    seen = list(ear.heard)
    again = b"".join(whole.splitlines(keepends=True)[-tail:])
    lines.connected(again=True)
    lines.feed(again)
    lines.finish()
    heard = [item for item in seen if isinstance(item, int)]
    came_again = [event.number for line in again.splitlines() if (event := _event(line))]
    numbers = [item for item in ear.heard if isinstance(item, int)]
    assert numbers == sorted(set(numbers))
    if heard and heard[-1] in came_again:
        assert ear.heard == list(steps)


def test_what_libraries_print_is_a_line_fit_for_a_terminal() -> None:
    ear = Ear()
    lines = ear.lines()
    lines.connected(again=False)
    lines.feed(b"\x1b[31mred\x1b[0m \x07bell\n  \n10%\r 90%\r100%\n" + b"\xff\xfe\n")
    lines.feed(b'pixel-event {"number": 0, "kind": "update"}\n')
    lines.feed(b'pixel-event {"number": 1, "kind": "rm -rf"}\n')
    lines.feed(b"x" * 100_000)
    lines.finish()
    assert ear.heard[:3] == ["red bell", "100%", "\ufffd\ufffd"]
    assert ear.heard[3].startswith('pixel-event {"number": 0')
    assert ear.heard[4].startswith('pixel-event {"number": 1')
    assert {len(item) for item in ear.heard[5:]} == {2000}


def test_an_event_is_found_behind_a_bar_that_ends_no_line() -> None:
    event = read_event(
        '42%|####  | 3/7\rpixel-event {"number": 3, "kind": "note", "text": "a"}'
    )
    assert event == JobEvent(number=3, kind="note", text="a")


def test_updates_are_held_back_but_never_the_last() -> None:
    now = 0.0
    out = io.StringIO()
    writer = EventWriter(out, clock=lambda: now)
    for step in range(1, 101):
        now += INTERVAL_S / 10
        writer.update(step, 100, loss=1 / step, rollouts=3)
    told = [read_event(line) for line in out.getvalue().splitlines()]
    assert all(told)
    assert len(told) <= 12
    last = told[-1]
    assert last
    assert (last.done, last.metrics) == (100, {"loss": 0.01, "rollouts": 3})
    assert isinstance(last.metrics["rollouts"], int)


def test_a_note_comes_after_the_update_before_it() -> None:
    out = io.StringIO()
    writer = EventWriter(out, clock=lambda: 0.0)
    writer.update(1, 9)
    writer.update(2, 9)
    writer.note("half way")
    told = [read_event(line) for line in out.getvalue().splitlines()]
    assert [(event.kind, event.done) for event in told if event] == [
        ("update", 1),
        ("update", 2),
        ("note", 0),
    ]


def test_a_flood_of_lines_is_cut_and_counted() -> None:
    now = 0.0
    told: list[str] = []
    log = JobLog(told.append, clock=lambda: now)
    for number in range(1000):
        log.line(f"line {number}")
    assert told == [f"line {number}" for number in range(200)]
    now = 1.0
    log.line("later")
    assert told[200:] == ["... 800 lines are left out; Ray's page has all of them", "later"]
