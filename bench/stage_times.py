"""How long each stage of a finished run took, for ``profiles/measured``.

    python -m bench.stage_times --store STORE [--write]

Read from the finished run that built the most stages: each artifact's manifest has the
seconds its stage computed. With ``--write`` they become what ``pixel run`` says a stage will
take, so take them on an idle machine with as many cores as the README names.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench.measure import ROOT, Figure, cpu_model, instruction_set, machine, tell
from bench.orchestration import built_stages, chosen_run
from pixel_core.workflow.store import RunRecord, Store

FOLDER = ROOT / "profiles" / "measured"


def machine_words() -> str:
    """This machine in words: cores, model, instruction set."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} core{'s' * (cores != 1)} of an {cpu_model()} with {instruction_set()}"


def seconds_of(run: RunRecord, store: Store) -> dict[str, float]:
    """By stage, for stages that the run itself computed."""
    found: dict[str, float] = {}
    for name in built_stages(run):
        artifact = store.load(name, run.stages[name].key or "")
        if artifact is not None:
            found[name] = round(artifact.manifest.timings["run_seconds"], 1)
    return found


def write(folder: Path, profile: str, words: str, seconds: dict[str, float]) -> Path:
    lines = [
        f"# Seconds of each stage of profile {profile}; `python -m bench.stage_times --write`.",
        f'machine = "{words}"',
        f'date = "{machine()["date"]}"',
        "",
        "[seconds]",
        *(f"{name} = {value}" for name, value in seconds.items()),
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"{profile}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True)
    parser.add_argument("--write", action="store_true", help=f"into {FOLDER.relative_to(ROOT)}")
    asked = parser.parse_args()
    asked.json, asked.repeats = False, 1
    store = Store.open(asked.store)
    run = chosen_run(store)
    seconds = seconds_of(run, store)
    figures = [Figure(name, value, "s") for name, value in seconds.items()]
    tell(asked, [*figures, Figure("all stages", sum(seconds.values()), "s")])
    if asked.write:
        print(write(FOLDER, run.profile, machine_words(), seconds))


if __name__ == "__main__":
    main()
