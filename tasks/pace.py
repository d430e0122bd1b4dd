"""How far a stage is, in words: steps, latest metrics, time left."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from pixel_core.evaluation.study.graph import Graph, Node


class Pace:
    """Time left from the work done since the first update of a phase.

    A resumed stage starts at its checkpoint, so what was done before does not count as
    done in this time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self._latest: tuple[float, int, int] | None = None

    def update(self, done: int, total: int) -> None:
        now = self._clock()
        last = self._latest
        if self._first is None or last is None or done < last[1] or total != last[2]:
            self._first = (now, done)  # the start, or the start of another phase
        self._latest = (now, done, total)

    def rate(self) -> float | None:
        """Steps a second; None before a second update has shown a speed."""
        if self._first is None or self._latest is None:
            return None
        began, start = self._first
        at, done, _ = self._latest
        return (done - start) / max(at - began, 1e-9) if done > start else None

    def seconds_left(self) -> float | None:
        """None before a second update has shown a speed."""
        rate = self.rate()
        if rate is None or self._latest is None:
            return None
        at, done, total = self._latest
        return max((total - done) / rate - (self._clock() - at), 0.0)


def duration(seconds: float) -> str:
    """``4.2 s`` under ten seconds, then ``42 s``, ``3:05`` (minutes), ``1:02:09``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """``loss 0.312  accuracy 0.75``: three significant digits, whole numbers whole."""
    return "  ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, int) else f'{value:.3g}'}"
        for name, value in metrics.items()
    )


# How much longer a study takes, from what its stages took so far.


class StudyPace:
    """Fed from several threads. Stages of a kind are taken to cost alike; arms differ, so a
    node's own arm is asked first."""

    def __init__(
        self, graph: Graph, cores: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cores = cores
        self._clock = clock
        self._lock = threading.Lock()
        self._pending = dict(graph.nodes)
        self._running: dict[str, tuple[Node, float, int, Pace]] = {}
        #: Core seconds of stages that were made, by (stage, arm).
        self._taken: dict[tuple[str, str], list[float]] = defaultdict(list)

    def started(self, node: Node, processes: int) -> None:
        with self._lock:
            self._pending.pop(node.id, None)
            self._running[node.id] = (node, self._clock(), processes, Pace(self._clock))

    def update(self, node: Node, done: int, total: int) -> None:
        with self._lock:
            self._running[node.id][3].update(done, total)

    def ended(self, node: Node, *, built: bool) -> None:
        with self._lock:
            _, began, processes, _ = self._running.pop(node.id)
            if built:
                seconds = (self._clock() - began) * processes
                self._taken[_kind(node)].append(seconds)

    def lost(self, ids: set[str]) -> None:
        """Nodes that will not be made."""
        with self._lock:
            for id in ids:
                self._pending.pop(id, None)

    def seconds_left(self) -> float | None:
        """None while something is still to be done whose like was never seen."""
        with self._lock:
            taken = {kind: list(found) for kind, found in self._taken.items()}
            left = 0.0
            for node, began, processes, pace in self._running.values():
                elapsed = self._clock() - began
                more = pace.seconds_left()
                if more is None:
                    known = _expected(node, taken)
                    if known is None:
                        return None
                    left += max(known - elapsed * processes, 0.0)
                    continue
                left += more * processes
                # A run under way is an estimate for those of its kind that are to come.
                taken.setdefault(_kind(node), []).append((elapsed + more) * processes)
            for node in self._pending.values():
                known = _expected(node, taken)
                if known is None:
                    return None
                left += known
            return left / self._cores


def _kind(node: Node) -> tuple[str, str]:
    return node.stage.name, node.cells[0].arm


def _expected(node: Node, taken: dict[tuple[str, str], list[float]]) -> float | None:
    alike = (some for (stage, _), some in taken.items() if stage == node.stage.name)
    found = taken.get(_kind(node)) or [value for some in alike for value in some]
    return sum(found) / len(found) if found else None
