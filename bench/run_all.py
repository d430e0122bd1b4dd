"""All benchmarks, one after the other, written to ``bench/RESULTS.md``.

    python -m bench.run_all [--store STORE] [--profile tiny] [--out bench/RESULTS.md]

``--store`` names the store of a finished run of the profile: its policy's rollouts are
measured, its run's orchestration, and a warm re-run. Without it those are left out.
Takes about ten minutes, four of them for the ledger.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench.measure import ROOT, Figure, machine, table
from bench.results_file import rewrite

#: Benchmark, heading, and whether it runs without a store, with one, or both ways.
BENCHMARKS = (
    ("pictures", "Pictures", False),
    ("ingest", "Ingest of a manifest, and its memory", False),
    ("trajectories", "Synthesis", False),
    ("near_duplicates", "Near-duplicate pictures", False),
    ("grading", "Grading", False),
    ("annotation", "Annotation: the client beside its endpoint, 64 in flight", False),
    ("ledger", "The ledger at 1,000,000 answers", False),
    ("tuning", "SFT, random weights", False),
    ("limits", "The limit: what a step's products alone take", True),
    ("rollouts", "Rollouts, scripted: one zoom, then an answer", False),
    ("rollouts", "Rollouts of a trained policy", True),
    ("evaluation", "Answers to a benchmark", True),
    ("serving", "The endpoint at 1, 8 and 64 clients", True),
    ("orchestration", "Orchestration", True),
    ("warm", "Warm re-run", True),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="", help="the store of a finished run")
    parser.add_argument("--profile", default="tiny", help="that run's profile")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md")
    asked = parser.parse_args()
    facts = machine()
    sections: dict[str, str] = {}
    for name, title, stored in BENCHMARKS:
        if stored and not asked.store:
            continue
        options = ["--store", asked.store] if stored else []
        if name in ("evaluation", "serving", "warm"):
            options += ["--profile", asked.profile]
        figures, repeats = _figures(name, options)
        how = f"`python -m bench.{name}{' --store STORE' if stored else ''}`"
        sections[title] = f"{how}, turns: {repeats}\n\n{table(figures)}"
        print(f"{title}\n{table(figures)}\n", flush=True)
    own = [title for _, title, _ in BENCHMARKS]
    rewrite(asked.out, _head(facts), sections, own)


def _head(facts: dict[str, str | int]) -> str:
    lines = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return (
        "# Benchmark results\n\nWritten by `make bench`; do not edit. One thread. Medians; "
        "candidates take turns, and a ratio is the median of the ratios within a turn. "
        "`load` is the machine's load before it began: where it is above 0, others were at "
        f"work and the figures are low, the ratios less so.\n\n{lines}\n\n"
    )


def _figures(name: str, options: list[str]) -> tuple[list[Figure], int]:
    """Run a benchmark in a process of its own, as from the command line."""
    command = [sys.executable, "-m", f"bench.{name}", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    said = json.loads(done.stdout.splitlines()[-1])
    return [Figure(**values) for values in said["figures"]], said["repeats"]


if __name__ == "__main__":
    main()
