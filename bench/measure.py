"""Shared by all benchmarks: timing, machine facts, tables, and the command line.

Candidates are timed in turns, so that other load slows all of them alike; figures are medians
with their quartiles, and a ratio is the median of the ratios within a turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """One measured quantity; ``low`` and ``high`` are quartiles over the repeats.

    ``peer``: the speed-up over the peer named in ``note``; None without one.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    peer: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds of one candidate, one number per turn."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times_as_fast_as(self, peer: Times) -> float:
        """The median over turns of the peer's seconds divided by ours."""
        pairs = zip(peer.seconds, self.seconds, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def rate(self, name: str, count: float, unit: str, **more: Any) -> Figure:
        """Things per second, for ``count`` things per turn."""
        low, high = _quartiles([count / s for s in self.seconds])
        return Figure(name, count / self.median, unit, low, high, **more)

    def each(self, name: str, count: float = 1, unit: str = "ms", **more: Any) -> Figure:
        """Time per thing in ``ms`` or ``s``, for ``count`` things per turn."""
        scale = {"ms": 1e3, "s": 1.0}[unit] / count
        low, high = _quartiles([scale * s for s in self.seconds])
        return Figure(name, scale * self.median, unit, low, high, **more)


def in_turns(
    candidates: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1
) -> dict[str, Times]:
    """Time all candidates ``repeats`` times, in turns whose order alternates."""
    names = list(candidates)
    for _ in range(warm_up):
        for name in names:
            candidates[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names if turn % 2 else reversed(names):
            started = time.perf_counter()
            candidates[name]()
            seconds[name].append(time.perf_counter() - started)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def machine() -> dict[str, str | int]:
    """Facts besides the code that a figure depends on."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "cpu": cpu_model(),
        "instructions": instruction_set(),
        "cores": len(os.sched_getaffinity(0)),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | figure | quartiles | against the peer | |", "|---|---|---|---|---|"]
    for figure in figures:
        spread = (
            ""
            if figure.low is None or figure.high is None
            else f"{_short(figure.low)} to {_short(figure.high)}"
        )
        peer = "" if figure.peer is None else f"{figure.peer:.2f} x as fast"
        value = f"{_short(figure.value)} {figure.unit}"
        lines.append(f"| {figure.name} | {value} | {spread} | {peer} | {figure.note} |")
    return "\n".join(lines)


def arguments(description: str, repeats: int) -> argparse.ArgumentParser:
    """The options common to all benchmarks."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=repeats, help="turns to time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def tell(asked: argparse.Namespace, figures: Sequence[Figure]) -> None:
    """Print the machine, the repeats and the figures, as a table or as JSON."""
    facts = machine()
    if asked.json:
        values = [asdict(figure) for figure in figures]
        print(json.dumps({"machine": facts, "repeats": asked.repeats, "figures": values}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"medians of {asked.repeats} turns\n\n{table(figures)}")


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def instruction_set() -> str:
    """The instruction set of torch's kernels here: AVX2, AVX512 or DEFAULT."""
    from torch.backends import cpu

    return cpu.get_cpu_capability()


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
