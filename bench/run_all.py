"""All benchmarks, one after the other, written to ``bench/RESULTS.md``.

    python -m bench.run_all [--store STORE] [--profile tiny] [--out bench/RESULTS.md]

``--store`` names the store of a finished run of the profile: its base model and policy are
measured, its run's orchestration, and a warm re-run. Without it those two are left out and
random weights do the same work. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench.measure import ROOT, Figure, machine, table

#: By benchmark: its heading in the results.
TITLES = {
    "pictures": "Pictures",
    "trajectories": "Synthesis",
    "tuning": "SFT",
    "rollouts": "Rollouts",
    "orchestration": "Orchestration",
    "warm": "Warm re-run",
}
_STORED = ("orchestration", "warm")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="", help="the store of a finished run")
    parser.add_argument("--profile", default="tiny", help="that run's profile")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md")
    asked = parser.parse_args()
    facts = machine()
    parts = [_head(facts, asked.store)]
    for name, title in TITLES.items():
        if name in _STORED and not asked.store:
            continue
        figures, repeats = _figures(name, asked)
        parts.append(f"## {title}\n\n`python -m bench.{name}`; turns: {repeats}.\n\n")
        parts.append(table(figures) + "\n\n")
        print(f"{title}\n{table(figures)}\n", flush=True)
    asked.out.write_text("".join(parts).rstrip() + "\n", encoding="utf-8")


def _head(facts: dict[str, str | int], store: str) -> str:
    lines = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    model = "a finished run's models" if store else "random weights"
    return (
        "# Benchmark results\n\nWritten by `make bench`; do not edit. "
        f"One thread, {model}. Medians; candidates take turns, ratios are taken within a "
        "turn. `load` is the machine's load before it began: above 0, others were at work "
        f"and the figures are low, the ratios less so.\n\n{lines}\n\n"
    )


def _figures(name: str, asked: argparse.Namespace) -> tuple[list[Figure], int]:
    """Each benchmark runs in a process of its own, as it is launched by hand."""
    command = [sys.executable, "-m", f"bench.{name}", "--json"]
    if asked.store and name in ("tuning", "rollouts", *_STORED):
        command += ["--store", asked.store]
    if name == "warm":
        command += ["--profile", asked.profile]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    said = json.loads(done.stdout.splitlines()[-1])
    return [Figure(**values) for values in said["figures"]], said["repeats"]


if __name__ == "__main__":
    main()
