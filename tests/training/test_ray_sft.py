"""The stage on a real Ray of this machine: lost workers, interrupts, a killed driver."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from small_run import HABITS, Heard, SmallRun

from pixel_core.config import RayTrainConfig, SftConfig
from pixel_core.errors import DataError
from pixel_core.training import loop as team_checkpoint
from pixel_core.training.ray_train import checkpoint
from pixel_core.training.ray_train import stage as ray_sft
from pixel_core.workflow.stage import Progress, SilentProgress, StageContext, Workspace
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import BY_NAME

#: Each starts a Ray of its own; ``test_ray_sft_worker.py`` has what needs none.
pytestmark = pytest.mark.slow

STEPS = 20
SECTION = HABITS.model_copy(
    update={
        "steps": STEPS,
        "checkpoint_every": 5,
        "backend": "ray_train",
        "ray_train": RayTrainConfig(cpus_per_worker=0.5),
    }
)


class Killing(Heard):
    """A ``Progress`` that ends something once, after a number of steps."""

    def __init__(self, after: int, end: Any) -> None:
        super().__init__()
        self.steps: list[int] = []
        self._after, self._end = after, end

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.steps.append(done)
        if done >= self._after and self._end is not None:
            end, self._end = self._end, None
            end()


def training_workers(driver: int) -> list[int]:
    """Process ids of the workers that train, of the Ray that a driver started."""
    titles: dict[int, str] = {}
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            titles[int(folder.name)] = (
                (folder / "cmdline").read_bytes().decode(errors="replace")
            )
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(status[1])
        except OSError:
            continue  # it ended meanwhile
    return [
        pid
        for pid, title in titles.items()
        if "RayTrainWorker" in title and parents.get(parents.get(pid, 0)) == driver
    ]


def runs(pid: int) -> bool:
    """Whether the process is there and not only waiting for its parent to hear of its end."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def context(
    small: SmallRun,
    name: str,
    progress: Progress,
    section: SftConfig = SECTION,
    **inputs: Path,
) -> StageContext:
    """As the runner makes it; the same name again goes on from what is left."""
    out = small.root / name
    out.mkdir(exist_ok=True)
    config = small.config.model_copy(update={"sft": section})
    found = {name: small.inputs[name] for name in BY_NAME["sft"].needs}
    return StageContext(config, found | inputs, out, workspace(small, name), progress)


def workspace(small: SmallRun, name: str) -> Workspace:
    return Store.open(str(small.root / "store")).workspace(name, "0" * 64)


@pytest.fixture(autouse=True)
def _a_ray_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # Ray's workers are nice to all others by default, and starve beside another test.
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.fixture(scope="module")
def expected(small: SmallRun) -> list[dict[str, float]]:
    """The curve of the team's stage, unrounded."""
    small.sft("twenty", SECTION.model_copy(update={"backend": "team"}))
    found = team_checkpoint.load_latest(workspace(small, "twenty"), "sft")
    assert found is not None
    return found[1]["curve"]


def assert_same_losses(small: SmallRun, name: str, expected: list[dict[str, float]]) -> None:
    head = checkpoint.latest(workspace(small, name))
    assert head is not None
    assert [row["step"] for row in head.curve] == list(range(1, STEPS + 1))
    for ours, theirs in zip(head.curve, expected, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)


def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint(
    small: SmallRun, expected: list[dict[str, float]]
) -> None:
    def kill() -> None:
        workers = training_workers(os.getpid())
        assert len(workers) == 2
        os.kill(workers[-1], signal.SIGKILL)

    heard = Killing(7, kill)
    asked = context(small, "killed worker", heard)
    metrics = ray_sft.run(asked)
    assert [note for note in heard.notes if "going on from step" in note]
    assert_same_losses(small, "killed worker", expected)
    assert metrics["steps"] == STEPS
    assert len((asked.out / "curve.jsonl").read_text().splitlines()) == STEPS
    assert not training_workers(os.getpid())
    # The artifact is one that the team's stage could have made.
    folders = (asked.out / "model", small.root / "twenty" / "model")
    theirs, ours = ({file.name for file in folder.iterdir()} for folder in folders)
    assert ours == theirs
    # Killed before its artifact was stored, it trains no more: nothing of Ray is started.
    heard = Killing(0, lambda: pytest.fail("it trained again"))
    assert ray_sft.run(context(small, "killed worker", heard)) == metrics


def assert_nothing_waits() -> None:
    """Inside a Ray that is shut down, where it would crash this process some minutes later."""
    for thread in threading.enumerate():
        if thread.name == "ray-train":
            thread.join(5)
            assert not thread.is_alive()


def test_an_interrupt_saves_the_step_and_ends_the_workers(
    small: SmallRun, expected: list[dict[str, float]]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    # Only the interrupt, or the end, has a checkpoint written.
    rare = SECTION.model_copy(update={"checkpoint_every": 1000})
    with pytest.raises(KeyboardInterrupt):
        ray_sft.run(context(small, "interrupted", Killing(1, interrupt), rare))
    assert not training_workers(os.getpid())
    assert_nothing_waits()
    left = checkpoint.latest(workspace(small, "interrupted"))
    assert left is not None
    if left.step == STEPS:
        pytest.skip("it had come to its end before the interrupt reached it")
    heard = Killing(0, None)
    ray_sft.run(context(small, "interrupted", heard))
    assert heard.notes == [f"sft: going on from step {left.step} of {STEPS}"]
    assert_same_losses(small, "interrupted", expected)


def test_a_killed_driver_is_gone_on_from(
    small: SmallRun, tmp_path: Path, expected: list[dict[str, float]]
) -> None:
    asked = tmp_path / "context"
    asked.write_bytes(pickle.dumps(context(small, "killed driver", SilentProgress())))
    command = [sys.executable, str(Path(__file__).with_name("ray_driver.py")), str(asked)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if line == "7\n":
                break
        workers = training_workers(driver.pid)
        assert len(workers) == 2
        driver.kill()
        # Alone they would soon be through with what is left of so small a run.
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    until = time.monotonic() + 60
    while any(runs(worker) for worker in workers):
        assert time.monotonic() < until, "workers outlived their driver"
        time.sleep(0.5)
    left = checkpoint.latest(workspace(small, "killed driver"))
    assert left is not None
    heard = Killing(0, None)
    ray_sft.run(context(small, "killed driver", heard))
    # On a quick machine the workers are through before the driver has told of step 7.
    assert heard.notes == (
        [f"sft: going on from step {left.step} of {STEPS}"] if left.step < STEPS else []
    )
    assert_same_losses(small, "killed driver", expected)


def test_what_is_wrong_with_the_data_reaches_the_caller(
    small: SmallRun, tmp_path: Path
) -> None:
    (tmp_path / "trajectories.jsonl").write_text("")
    with pytest.raises(DataError, match="no trajectories to train on"):
        ray_sft.run(context(small, "no data", Heard(), synthesize=tmp_path, text_only=tmp_path))
    assert not training_workers(os.getpid())
    assert_nothing_waits()
