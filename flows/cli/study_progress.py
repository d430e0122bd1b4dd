"""What the terminal shows of a study: cells done, what runs now, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from pixel_core.evaluation.study.graph import ENDS, Graph, Node
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.stage import Progress
from tasks.pace import StudyPace, duration, metrics_line

PLAIN_INTERVAL_S = 20.0
#: What a running cell shows, in this order.
_SHOWN = ("rapr", "accuracy", "loss")


class StudyTerminal:
    """``tasks.study.StudyWatcher`` in the CLI: live lines on a TTY, plain lines elsewhere."""

    def __init__(
        self,
        console: Console,
        interval_s: float = PLAIN_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.RLock()
        self._live: _Live | None = None
        self._next = clock() + interval_s
        self._latest: dict[str, str] = {}
        #: Ends that each cell still waits for.
        self._open: dict[str, set[str]] = {}
        self.cells = 0
        #: Of the column of labels.
        self._width = 52

    def begin(self, graph: Graph, cores: int) -> None:
        self._width = max(len(node.label) for node in graph.nodes.values()) + 2
        self._pace = StudyPace(graph, cores, self._clock)
        for node in graph.nodes.values():
            if node.stage.name in ENDS:
                for cell in node.cells:
                    self._open.setdefault(str(cell), set()).add(node.id)
        self.cells = len(self._open)
        if self._console.is_terminal:
            self._live = _Live(self._console, self.cells)

    @property
    def done(self) -> int:
        """Cells whose every stage is made."""
        return self.cells - len(self._open)

    @contextmanager
    def watch(self, node: Node, processes: int) -> Iterator[Progress]:
        with self._lock:
            self._pace.started(node, processes)
            self._latest[node.label] = node.label
            if self._live:
                self._live.add(node)
        yield _NodeProgress(self, node)

    def update(self, node: Node, done: int, total: int, metrics: dict[str, float]) -> None:
        self._pace.update(node, done, total)
        shown = metrics_line({name: metrics[name] for name in _SHOWN if name in metrics})
        with self._lock:
            self._latest[node.label] = f"{node.label} {done}/{total} {shown}".rstrip()
            if self._live:
                self._live.update(node, done, total, shown)
                self._live.head(self.done, self._left())
                return
            now = self._clock()
            if now >= self._next:
                self._next = now + self._interval_s
                self.note(f"  {self._head()}: {'; '.join(self._latest.values())}")

    def ended(self, node: Node, outcome: StageOutcome) -> None:
        with self._lock:
            self._close(node, built=outcome.status == "built")
            for cell in map(str, node.cells):
                waits = self._open.get(cell)
                if waits is not None:
                    waits.discard(node.id)
                    if not waits:
                        del self._open[cell]
            style = "blue" if outcome.status == "reused" else "green"
            line = Text.assemble(
                f"{node.label:<{self._width}}",
                (f"{outcome.status:<8}", style),
                f"{duration(outcome.seconds):>8}  {_figures(outcome)}",
            )
            self._console.print(line, soft_wrap=True)
            if self._live:
                self._live.head(self.done, self._left())

    def failed(self, node: Node, error: Exception, lost: set[str]) -> None:
        with self._lock:
            self._close(node, built=False)
            self._pace.lost(lost)
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            line = Text.assemble(f"{node.label:<{self._width}}", ("failed  ", "red"), text)
            self._console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Take the live lines off the terminal."""
        with self._lock:
            if self._live:
                self._live.stop()
                self._live = None

    def _close(self, node: Node, *, built: bool) -> None:
        self._pace.ended(node, built=built)
        self._latest.pop(node.label, None)
        if self._live:
            self._live.remove(node)

    def _left(self) -> str:
        seconds = self._pace.seconds_left()
        return "" if seconds is None else f"{duration(seconds)} left"

    def _head(self) -> str:
        left = self._left()
        return f"{self.done} of {self.cells} cells{', ' + left if left else ''}"


class _NodeProgress:
    def __init__(self, terminal: StudyTerminal, node: Node) -> None:
        self._terminal = terminal
        self._node = node

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._terminal.update(self._node, done, total, metrics)

    def note(self, text: str) -> None:
        self._terminal.note(f"  {self._node.label}: {text}")


class _Live:
    """A bar for all cells, and one for each stage that runs."""

    def __init__(self, console: Console, cells: int) -> None:
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self._bar.start()
        self._cells = self._bar.add_task("cells", total=cells, words="")
        self._rows: dict[str, TaskID] = {}

    def head(self, done: int, words: str) -> None:
        self._bar.update(self._cells, completed=done, words=words)

    def add(self, node: Node) -> None:
        self._rows[node.id] = self._bar.add_task(node.label, total=None, words="")

    def update(self, node: Node, done: int, total: int, words: str) -> None:
        self._bar.update(self._rows[node.id], completed=done, total=total, words=words)

    def remove(self, node: Node) -> None:
        self._bar.remove_task(self._rows.pop(node.id))

    def stop(self) -> None:
        self._bar.stop()


def _figures(outcome: StageOutcome) -> str:
    """What a reader wants of a stage that ended; why it was reused, where it was."""
    metrics = outcome.artifact.metrics
    wanted = ("sampled_rapr", "sampled_accuracy", "final_rapr", "final_accuracy")
    found = {
        name.removeprefix("final_"): float(metrics[name]) for name in wanted if name in metrics
    }
    return metrics_line(found) or outcome.reason
