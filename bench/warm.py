"""A warm re-run: ``pixel run`` over a store that has everything, from start to prompt.

    python -m bench.warm --store STORE [--profile tiny] [--until STAGE] [--repeats 3] [--json]

Imports, Prefect's start, and verifying every artifact; with the server that an earlier run
left (``PIXEL_SERVER_KEPT_S``), with one of its own, and with every byte read (``--verify``).
Refuses a store in which a stage would have to run: then it would measure something else.
Beside it ``pixel plan``, which decides the same without Prefect. CPU time is that of all
processes, user and system; on a busy machine it says more than the time that passed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.measure import Figure, Times, arguments, in_turns, tell
from flows.kept_server import NOTE, prefect_home


def measure(asked: argparse.Namespace) -> list[Figure]:
    common = ["--profile", asked.profile, "--store", asked.store]
    if asked.until:
        common += ["--until", asked.until]
    decisions = json.loads(_pixel("plan", *common, "--json"))
    missing = [decision["stage"] for decision in decisions if decision["action"] != "reuse"]
    if missing:
        raise SystemExit(f"{asked.store} lacks {', '.join(missing)}: run the pipeline first")
    commands = {
        "pixel run": (("run",), "60"),
        "pixel run, no server kept": (("run",), "0"),
        "pixel run --verify": (("run", "--verify"), "60"),
        "pixel plan": (("plan",), "0"),
        "pixel plan --verify": (("plan", "--verify"), "0"),
    }
    used: dict[str, list[float]] = {name: [] for name in commands}

    def timed(name: str) -> Callable[[], None]:
        words, kept = commands[name]

        def call() -> None:
            before = _cpu_seconds()
            _pixel(*words, *common, PIXEL_SERVER_KEPT_S=kept)
            used[name].append(_cpu_seconds() - before)

        return call

    times = in_turns({name: timed(name) for name in commands}, asked.repeats, warm_up=1)
    figures = []
    for name in commands:
        note = f"profile {Path(asked.profile).stem}, {len(decisions)} stages reused"
        cpu = used[name][1:]  # the first was a warm-up
        figures.append(times[name].each(name, unit="s", note=note))
        figures.append(Times(tuple(cpu)).each(f"{name}: CPU", unit="s"))
    return figures


def _pixel(*words: str, **settings: str) -> str:
    command = [str(Path(sys.executable).with_name("pixel")), *words]
    environment = {**os.environ, **settings}
    # As for a user: Python keeps its compiled files.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _cpu_seconds() -> float:
    """CPU seconds of all child processes that have ended, and of the server kept running."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime + _of_kept_server()


def _of_kept_server() -> float:
    try:
        pid = json.loads((prefect_home() / NOTE).read_text())["pid"]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError, KeyError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--store", required=True, help="the store of a finished run")
    options.add_argument("--profile", default="tiny")
    options.add_argument("--until", default="", help="the last stage, as in pixel run")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
