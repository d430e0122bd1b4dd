"""Real worker processes: agreement, resumption after kill -9, and honest failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import team_tasks

from pixel_core.config import OptimizerConfig
from pixel_core.errors import StageFailed
from pixel_core.workflow.parallel.team import run_team, worker_count
from pixel_core.workflow.stage import SilentProgress
from pixel_core.workflow.store import Store

ADAM = OptimizerConfig(learning_rate=3e-2, warmup_steps=3, schedule="cosine")
MUON = OptimizerConfig(kind="muon", learning_rate=1e-2, muon_learning_rate=0.02)


def fit(store: Path, optimizer: OptimizerConfig, workers: int, **more: int):
    work = Store.open(str(store)).workspace("fit", "0" * 64)
    return run_team(
        team_tasks.fit,
        (optimizer, work, *more.values()),
        shards=2,
        workers=workers,
        progress=SilentProgress(),
    )


#: Muon's work is shared by the workers; AdamW's is done by each.
BOTH = pytest.mark.parametrize(
    "optimizer", [pytest.param(ADAM, id="adamw"), pytest.param(MUON, id="muon")]
)


@BOTH
def test_one_worker_and_two_make_the_same_bits(tmp_path: Path, optimizer) -> None:
    one_curve, one = fit(tmp_path / "one", optimizer, 1)
    two_curve, two = fit(tmp_path / "two", optimizer, 2)
    assert one_curve == two_curve
    losses = [row["loss"] for row in one_curve]
    assert sum(losses[-4:]) < sum(losses[:4])
    for name in one:
        assert np.array_equal(one[name], two[name]), name


@pytest.mark.ci
@BOTH
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, optimizer) -> None:
    whole_curve, whole = fit(tmp_path / "whole", optimizer, 2)
    with pytest.raises(StageFailed, match="last checkpoint"):
        fit(tmp_path / "cut", optimizer, 2, die_at=7)
    work = Store.open(str(tmp_path / "cut")).workspace("fit", "0" * 64)
    assert max(work.names()) == "fit-step-000006"
    cut_curve, cut = fit(tmp_path / "cut", optimizer, 2)
    assert cut_curve == whole_curve
    for name in whole:
        assert np.array_equal(whole[name], cut[name]), name


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    _, whole = fit(tmp_path / "whole", ADAM, 1)
    with pytest.raises(StageFailed):
        fit(tmp_path / "cut", ADAM, 1, die_at=7)
    newest = next(p for p in (tmp_path / "cut").rglob("*") if "step-000006" in p.name)
    newest.write_bytes(newest.read_bytes()[:-100])
    _, cut = fit(tmp_path / "cut", ADAM, 1)
    for name in whole:
        assert np.array_equal(whole[name], cut[name]), name


def test_a_fault_in_any_worker_is_shown_with_its_traceback() -> None:
    with pytest.raises(StageFailed, match="a fault in the last worker"):
        run_team(team_tasks.fail, (), shards=2, workers=2, progress=SilentProgress())


def test_shards_are_divided_among_the_workers() -> None:
    found = run_team(team_tasks.ranks, (), shards=4, workers=2, progress=SilentProgress())
    assert found == [(0, (0, 1)), (1, (2, 3))]
    assert worker_count(8, 2) == 2
    assert worker_count(2, 3) == 1  # two workers cannot share three shards evenly
    assert worker_count(0, 1) == 1


@pytest.mark.ci
def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import sleepers\n"
        "if __name__ == '__main__':\n"
        f"    sleepers.start({str(tmp_path / 'pids')!r})\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    pids = _wait_for(tmp_path / "pids", 2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if _alive(pid)]


def _wait_for(folder: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if folder.is_dir() and len(names := [p.name for p in folder.iterdir()]) == count:
            return [int(name) for name in names]
        time.sleep(0.05)
    raise AssertionError("the workers never came up")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.ci
def test_a_long_folder_for_temporary_files_is_no_hindrance(tmp_path: Path) -> None:
    """multiprocessing's sockets are there, and a socket's path has a limit."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    program = (
        "import team_tasks\n"
        "from pixel_core.workflow.stage import SilentProgress\n"
        "from pixel_core.workflow.parallel.team import run_team\n"
        "print(run_team(team_tasks.ranks, (), shards=2, workers=2, progress=SilentProgress()))"
    )
    here = str(Path(team_tasks.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(long), "PYTHONPATH": here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[(0, (0,)), (1, (1,))]"
