"""The share of a run's wall time that is not the stages' own work.

    python -m bench.orchestration --store STORE [--run ID] [--json]

Read from what a real ``pixel run`` left in its store: the run's record says when it began
and ended, each built artifact's manifest how long its stage computed. The rest is
deciding, leases, verifying, hashing, storing, Prefect, and waiting between tasks. The
start of the process lies before the record; ``bench.warm`` measures it. Without ``--run``:
the finished run that built the most stages, the last of them.
"""

from __future__ import annotations

import argparse
from datetime import datetime

from bench.measure import Figure, arguments, tell
from pixel_core.workflow.store import RunRecord, Store


def measure(asked: argparse.Namespace) -> list[Figure]:
    store = Store.open(asked.store)
    run = chosen_run(store, asked.run)
    if run.ended is None:
        raise SystemExit(f"run {run.id} has not ended: give one that has")
    wall = (
        datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)
    ).total_seconds()
    work = spent = 0.0
    for stage in built_stages(run):
        note = run.stages[stage]
        artifact = store.load(stage, note.key) if note.key else None
        if artifact is None or artifact.manifest.generation != note.generation:
            raise SystemExit(f"what run {run.id} made for {stage} was made anew or cleaned")
        work += artifact.manifest.timings["run_seconds"]
        spent += note.seconds
    built = f"run {run.id}, profile {run.profile}, {len(built_stages(run))} stages built"
    return [
        Figure("the run's wall time", wall, "s", note=built),
        Figure("orchestration", 100 * (wall - work) / wall, "% of it"),
        Figure("of which inside stages: storing, verifying", spent - work, "s"),
        Figure("of which between stages: Prefect, the record", wall - spent, "s"),
    ]


def chosen_run(store: Store, run_id: str = "") -> RunRecord:
    """The run of that id; without one, the finished run that built the most stages, the latest
    if several. Exits if there is none."""
    if run_id:
        run = store.runs.get(run_id)
        if run is None:
            raise SystemExit(f"{store.uri} has no run {run_id!r}")
        return run
    runs = [run for name in store.runs.ids() if (run := store.runs.get(name))]
    finished = [run for run in runs if run.status == "finished" and built_stages(run)]
    if not finished:
        raise SystemExit(f"{store.uri} has no finished run that built a stage")
    return max(finished, key=lambda run: (len(built_stages(run)), run.started))


def built_stages(run: RunRecord) -> list[str]:
    return [name for name, stage in run.stages.items() if stage.status == "built"]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=1)
    options.add_argument("--store", required=True, help="the store of a real run")
    options.add_argument("--run", default="", help="the run's id")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
