"""What the terminal shows while stages work: a live line on a TTY, plain lines elsewhere."""

from __future__ import annotations

import re
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from flows.consoles import plain_console
from flows.measured_times import MeasuredTimes, PacedProgress
from pixel_core.errors import ConfigError, DataError, PixelError
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.stage import Progress
from tasks.pace import Pace, duration, metrics_line

# How a command ends: typed errors become one message and an exit code.


FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130  # what a shell reports for Ctrl-C

errors = plain_console(stderr=True)


@contextmanager
def clear_endings(debug: bool) -> Iterator[None]:
    """Exit 2 for bad input, 1 for other errors a user can mend, 130 for Ctrl-C.

    A bug is neither: it is left to crash with its traceback.
    """
    try:
        yield
    except PixelError as error:
        if debug:
            errors.print(Text(traceback.format_exc().rstrip()))
        say("error", "red", str(error))
        bad_input = isinstance(error, ConfigError | DataError)
        raise typer.Exit(BAD_INPUT if bad_input else FAILED) from error
    except KeyboardInterrupt as stopped:
        raise typer.Exit(INTERRUPTED) from stopped


def say(label: str, style: str, text: str) -> None:
    errors.print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)


# Text that others wrote, made fit for a terminal.


#: Terminal sequences as a whole: CSI, then OSC, DCS and their like up to their end, then any
#: other escape with the character it is about.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85\v\f]")


def printable(text: str) -> str:
    """Without terminal sequences, control characters, and marks that turn the writing's
    direction or are seen by nobody; lines stay lines, a tab becomes a space."""
    text = _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text)).replace("\t", " ")
    return "".join(
        letter
        for letter in text
        if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )


PLAIN_INTERVAL_S = 5.0


class TimeLeftColumn(ProgressColumn):
    """Our own estimate: rich's counts steps that a resumed stage did not do."""

    def render(self, task: Task) -> Text:
        pace: Pace = task.fields["pace"]
        left = pace.seconds_left()
        return Text("" if left is None else f"{duration(left)} left", style="cyan")


class LiveProgress:
    """One stage's line on a TTY, drawn a few times a second."""

    def __init__(self, bar: RichProgress, stage: str) -> None:
        self._bar = bar
        self._stage = stage
        self._pace = Pace()
        self._row = bar.add_task(stage, total=None, pace=self._pace, metrics="")

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._pace.update(done, total)
        self._bar.update(self._row, completed=done, total=total, metrics=metrics_line(metrics))

    def note(self, text: str) -> None:
        self._bar.console.print(Text(f"  {self._stage}: {text}"))


class PlainProgress:
    """Lines for a log file, one every few seconds and one for the last step."""

    def __init__(
        self,
        console: Console,
        stage: str,
        interval_s: float = PLAIN_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._stage = stage
        self._interval_s = interval_s
        self._clock = clock
        self._pace = Pace(clock)
        self._next = clock() + interval_s

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._pace.update(done, total)
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._interval_s
        left = self._pace.seconds_left()
        parts = [f"  {self._stage} {done}/{total}", metrics_line(metrics)]
        if left is not None:
            parts.append(f"{duration(left)} left")
        self._print("  ".join(part for part in parts if part))

    def note(self, text: str) -> None:
        self._print(f"  {self._stage}: {text}")

    def _print(self, line: str) -> None:
        # soft_wrap: a log line stays one line, whatever width the terminal claims.
        self._console.print(Text(line), soft_wrap=True)


class Terminal:
    """Shows the stages of one run on a console; ``tasks.run.Watcher`` in the CLI."""

    def __init__(self, console: Console, times: MeasuredTimes | None = None) -> None:
        self._console = console
        self._times = times
        #: What a person wants to know when the run is cut short.
        self.finished: list[str] = []
        self.current: str | None = None

    @contextmanager
    def watch(self, stage: str) -> Iterator[Progress]:
        self.current = stage
        with self._line(stage) as progress:
            if self._times is not None and stage in self._times.seconds:
                progress = PacedProgress(stage, progress, self._times)
            yield progress

    @contextmanager
    def _line(self, stage: str) -> Iterator[Progress]:
        if not self._console.is_terminal:
            yield PlainProgress(self._console, stage)
            return
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=4,
        ) as bar:
            yield LiveProgress(bar, stage)

    def ended(self, stage: str, outcome: StageOutcome) -> None:
        """The line that stays: what became of the stage, and why."""
        self.finished.append(stage)
        self.current = None
        line = Text.assemble(
            f"{stage:<19} ",  # a benchmark's stages may have longer names
            (f"{outcome.status:<8}", "blue" if outcome.status == "reused" else "green"),
            f"{duration(outcome.seconds):>8}  {outcome.reason}",
        )
        self._console.print(line, soft_wrap=True)
        if outcome.warning:
            self._console.print(Text(f"  warning: {outcome.warning}", "yellow"), soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
