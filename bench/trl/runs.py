"""One run of either program, from job to timed steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from bench.measure import ROOT
from bench.trl.job import Job, Steps, Work
from bench.trl.material import Material
from bench.trl.ours import train

#: A peer's run takes under a minute; beyond this it has hung.
_PATIENCE_S = 300
_QUIET = {"TRL_EXPERIMENTAL_SILENCE": "1", "HF_HUB_OFFLINE": "1"}


def run_ours(material: Material, job: Job, warm_up: int) -> Steps:
    asked = {query.id for query in job.queries}
    annotations = [note for note in material.annotations if note.seed.id in asked]
    with tempfile.TemporaryDirectory() as folder:
        return train(job, annotations, Path(folder), warm_up)


def run_peer(python: Path, job: Job, warm_up: int) -> Steps:
    """Run TRL in the environment of ``python``; ``SystemExit`` with its last output on failure.

    Threads are set before torch starts; several processes are launched by torch's launcher, as
    TRL's users do.
    """
    placing = job.placing
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.write(folder / "job.json")
        command = [str(python), "-m"]
        if placing.processes > 1:
            launcher = (
                f"torch.distributed.run --standalone --nproc-per-node={placing.processes}"
            )
            command += [*launcher.split(), "-m"]
        command += ["bench.trl.peer", str(folder / "job.json"), name]
        _call(command, _QUIET | {"OMP_NUM_THREADS": str(placing.threads)})
        ranks = [
            json.loads((folder / f"rank-{rank}.json").read_text(encoding="utf-8"))
            for rank in range(placing.processes)
        ]
    work = sum((Work(**step) for rank in ranks for step in rank["work"][warm_up:]), Work())
    return Steps.between(ranks[0]["ended"][warm_up:], work)


def _call(command: list[str], settings: dict[str, str]) -> None:
    """In its own process group, so that a launcher's workers end with it."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"{' '.join(command)} took over {_PATIENCE_S} s") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said[-4000:]}")
