"""Curiosity RL beside TRL's GRPOTrainer: the same policy, questions, tool, reward and groups.

    make bench-trl [STORE=...]
    python -m bench.against_trl --store STORE --peer .venv-trl/bin/python [--json]

Compared are trajectories a second of whole training steps: rolling out, reward, gradient
and update. Counted are only rollouts that are really multi-turn: a call was executed, its
picture returned, and the policy went on. First TRL's placings (processes, threads, pieces
of a batch) are tried on this machine, and the quickest is the peer. Then the programs take
turns, each turn on questions of its own, never two at once; a last turn compares them on
the warm start, which zooms less and whose rollouts are less alike.

Renews its section in ``bench/RESULTS.md``. A store without a policy is filled first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench.measure import ROOT, arguments, machine
from bench.results_file import renew
from bench.trl.job import Job, Placing, Steps
from bench.trl.material import Material
from bench.trl.report import ALONE, OURS, PEER, TITLE, Comparison, section
from bench.trl.runs import run_ours, run_peer
from pixel_core.workflow.store import Store

#: Steps of a trial of a placing; the first ones are not timed.
_TRIAL_STEPS = 4


def compare(asked: argparse.Namespace, say: Callable[[str], None]) -> Comparison:
    store = _filled(asked.store)
    policy = Material.of(store, "rl")
    steps = asked.warm_up + asked.steps

    def job(material: Material, turn: int, count: int, placing: Placing) -> Job:
        return material.job(asked.queries, asked.group, count, turn, placing)

    def ours(material: Material, turn: int, workers: int) -> Steps:
        return run_ours(
            material, job(material, turn, steps, Placing(workers, 1)), asked.warm_up
        )

    def theirs(material: Material, turn: int, placing: Placing) -> Steps:
        return run_peer(asked.peer, job(material, turn, steps, placing), asked.warm_up)

    versions = _versions(asked.peer)
    tried: dict[Placing, Steps] = {}
    for placing in _placings(len(os.sched_getaffinity(0)), asked.queries):
        tried[placing] = run_peer(asked.peer, job(policy, 0, _TRIAL_STEPS, placing), warm_up=1)
        say(f"TRL, {placing.text}: {tried[placing].seconds_a_step:.2f} s a step")
    best = min(tried, key=lambda placing: tried[placing].seconds_a_step)
    turns: list[dict[str, Steps]] = []
    for turn in range(asked.repeats):
        programs: dict[str, Callable[[], Steps]] = {
            OURS: partial(ours, policy, turn, 2),
            ALONE: partial(ours, policy, turn, 1),
            PEER: partial(theirs, policy, turn, best),
        }
        order = list(programs) if turn % 2 else list(programs)[::-1]
        turns.append({name: programs[name]() for name in order})
        for name, run in turns[-1].items():
            say(f"turn {turn + 1}, {name}: {run.seconds_a_step:.2f} s a step")
    start = Material.of(store, "sft")
    warm_start = {PEER: theirs(start, 0, best), OURS: ours(start, 0, 2)}
    return Comparison(versions, best, tried, turns, warm_start, policy.dialogue)


def _versions(python: Path) -> str:
    if not python.exists():
        raise SystemExit(f"there is no {python}: `make bench-trl` makes TRL's environment")
    names = ("trl", "transformers", "torch")
    ask = f"from importlib.metadata import version as v; print(*map(v, {names}))"
    said = subprocess.check_output([str(python), "-c", ask], text=True).split()
    return ", ".join(f"{name} {value}" for name, value in zip(names, said, strict=True))


def _placings(cores: int, queries: int) -> list[Placing]:
    """One process, as TRL is normally launched, on one thread and on all cores; one process per
    core; and the latter with the gradient in two pieces, which uses less memory at a time."""
    placings = [Placing(1, 1)]
    if cores > 1:
        placings.append(Placing(1, cores))
        processes = max(n for n in range(1, cores + 1) if queries % (2 * n) == 0)
        if processes > 1:
            placings += [Placing(processes, 1), Placing(processes, 1, pieces=2)]
    return placings


def _filled(uri: str) -> Store:
    store = Store.open(uri)
    if store.latest("rl") is None:
        pixel = str(Path(sys.executable).with_name("pixel"))
        command = [pixel, "run", "--profile", "tiny", "--until", "rl", "--store", uri]
        subprocess.run(command, check=True)
    return store


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--store", default=".pixel", help="the store of a tiny run")
    options.add_argument("--peer", type=Path, default=ROOT / ".venv-trl" / "bin" / "python")
    options.add_argument("--queries", type=int, default=16, help="questions a step")
    options.add_argument("--group", type=int, default=8, help="rollouts of a question")
    options.add_argument("--steps", type=int, default=6, help="timed steps a run")
    options.add_argument("--warm-up", type=int, default=2, help="steps before them")
    options.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md")
    return options


def main() -> None:
    asked = parser().parse_args()
    if asked.warm_up < 1:
        raise SystemExit(
            "--warm-up must be at least 1: first steps are slower in both programs"
        )
    facts = machine()
    found = compare(asked, lambda text: print(text, file=sys.stderr, flush=True))
    body = section(found, asked, facts)
    renew(asked.out, TITLE, body)
    if asked.json:
        runs = {"turns": found.turns, "warm_start": found.warm_start}
        plain = json.dumps({"machine": facts, **runs}, default=asdict)
        print(plain)
    else:
        print(body)


if __name__ == "__main__":
    main()
