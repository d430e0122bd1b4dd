"""A warm re-run: ``pixel run`` over a store that has everything, from start to prompt.

    python -m bench.warm --store STORE [--profile tiny] [--until STAGE] [--repeats 3] [--json]

Imports, Prefect's start, and verifying every artifact. Refuses a store in which a stage
would have to run: then it would measure something else. Beside it ``pixel plan``, which
decides the same without Prefect.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench.measure import Figure, arguments, in_turns, tell


def measure(asked: argparse.Namespace) -> list[Figure]:
    common = ["--profile", asked.profile, "--store", asked.store]
    if asked.until:
        common += ["--until", asked.until]
    decisions = json.loads(_pixel("plan", *common, "--json"))
    missing = [decision["stage"] for decision in decisions if decision["action"] != "reuse"]
    if missing:
        raise SystemExit(f"{asked.store} lacks {', '.join(missing)}: run the pipeline first")
    times = in_turns(
        {
            "run": lambda: _pixel("run", *common),
            "plan": lambda: _pixel("plan", *common),
        },
        asked.repeats,
        warm_up=0,
    )
    name = Path(asked.profile).stem
    reused = f"profile {name}, {len(decisions)} stages reused"
    return [
        times["run"].each("pixel run", unit="s", note=reused),
        times["plan"].each("pixel plan", unit="s"),
    ]


def _pixel(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("pixel")), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--store", required=True, help="the store of a finished run")
    options.add_argument("--profile", default="tiny")
    options.add_argument("--until", default="", help="the last stage, as in pixel run")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
