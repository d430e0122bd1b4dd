"""What the default profile reaches, over seeds and instruction sets.

    python -m bench.tiny_seeds --stores FOLDER [--seeds 0 1 2 3 4] [--read]

Runs ``pixel run --profile tiny`` once a seed, each in a store of its own below FOLDER, with all
four seeds of the recipe set to it: questions, base model, SFT and RL. Seed 0 is the default.
What is finished is not run again, so that the command can be stopped and repeated; ``--read``
runs nothing. ``docs/results/tiny_seeds.json`` gets this machine's seeds beside those of other
instruction sets, and ``tiny_seeds.md`` is made anew from all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import ROOT, machine
from flows.results import read_scores
from pixel_core.workflow.store import Store

RESULTS = ROOT / "docs" / "results"
SEEDED = ("ingest.drawn.seed", "base_model.seed", "sft.seed", "rl.seed")
MODELS = ("base", "warm_start", "policy")


def run_seed(store: Path, seed: int) -> None:
    """``pixel run`` as from the command line; exits if it fails."""
    command = [str(Path(sys.executable).parent / "pixel"), "run", "--profile", "tiny"]
    for field in SEEDED:
        command += ["--set", f"{field}={seed}"]
    done = subprocess.run([*command, "--store", str(store)], check=False)
    if done.returncode:
        raise SystemExit(f"seed {seed} ended with {done.returncode}; the same command goes on")


def read_seed(folder: Path, seed: int) -> dict[str, Any]:
    """The run's results: by model, shares of all held-out questions."""
    store = Store.open(str(folder))
    run = store.latest_run()
    note = run.stages.get("evaluate") if run and run.status == "finished" else None
    artifact = store.load("evaluate", note.key) if note and note.key else None
    if artifact is None:
        raise SystemExit(f"{folder} has no finished run: leave out --read")
    results = read_scores(artifact)
    row: dict[str, Any] = {"seed": seed}
    for score in results["scores"]:
        row[f"{score['model']}_{score['decoding']}"] = score["accuracy"]
        row[f"{score['model']}_{score['decoding']}_rapr"] = score["rapr"]
    for pair in results["comparisons"]:
        if (pair["a"], pair["b"]) == ("warm_start", "policy"):
            row[f"gain_{pair['decoding']}"] = pair["difference"]
    return row


def arithmetic(facts: Mapping[str, Any]) -> str:
    """The name under which a machine's figures are stored."""
    return f"{facts['cpu']}, {facts['instructions']}"


def keep(
    path: Path, rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Store this machine's rows beside other machines'; returns all of them."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settings = {
        name: os.environ[name]
        for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
        if name in os.environ
    }
    found[arithmetic(facts)] = {
        "machine": facts,
        "environment": settings,
        "rows": [{k: _rounded(v) for k, v in row.items()} for row in rows],
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def markdown(found: Mapping[str, Any]) -> str:
    """One table per arithmetic: a line per seed, then the mean and the spread."""
    lines = [
        "# What the default profile reaches, over seeds",
        "",
        "Written by `python -m bench.tiny_seeds`; do not edit. Accuracy on 600 held-out",
        "questions, greedy / sampled at temperature 1, in per cent. A seed sets the questions,",
        "the base model, SFT and RL: every line has other questions and another model. RaPR",
        "is the policy's.",
    ]
    for name, kept in found.items():
        facts = kept["machine"]
        lines += [
            "",
            f"## {name}",
            "",
            f"{facts['cores']} cores, torch {facts['torch']}, {facts['date']}, commit "
            f"`{facts['commit']}`.",
            "",
            "| seed | base | warm start | policy | policy above warm start | RaPR |",
            "|---|---|---|---|---|---|",
            *(_line(str(row["seed"]), [row]) for row in kept["rows"]),
        ]
        if len(kept["rows"]) > 1:
            lines.append(_line("mean (lowest to highest)", kept["rows"]))
    return "\n".join(lines) + "\n"


def _line(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [_pair(rows, model) for model in (*MODELS, "gain")]
    cells.append(_pair(rows, "policy", "_rapr", scale=1.0))
    return f"| {title} | " + " | ".join(cells) + " |"


def _pair(
    rows: Sequence[Mapping[str, Any]], name: str, ending: str = "", scale: float = 100.0
) -> str:
    return " / ".join(
        _spread([scale * row[f"{name}_{how}{ending}"] for row in rows], 1 if scale > 1 else 2)
        for how in ("greedy", "sampled")
    )


def _spread(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stores", type=Path, required=True, help="a folder for the stores")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--read", action="store_true", help="only read what is finished")
    asked = parser.parse_args()
    rows = []
    facts = machine()  # before writing results, which would mark its commit as changed
    for seed in asked.seeds:
        folder = asked.stores / f"seed-{seed}"
        if not asked.read:
            run_seed(folder, seed)
        rows.append(read_seed(folder, seed))
        found = keep(RESULTS / "tiny_seeds.json", rows, facts)
    text = markdown(found)
    (RESULTS / "tiny_seeds.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
