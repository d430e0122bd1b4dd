"""The process that trains: heard, failed, interrupted, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixel_core.errors import StageFailed
from pixel_core.training.openrlhf.process import run_to_end


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def run(log: Path, text: str, timeout_s: float = 60.0) -> tuple[list[str], list[str]]:
    heard: list[str] = []
    recalled: list[str] = []
    run_to_end([], log, heard.append, recalled.extend, timeout_s, program=program(text))
    return heard, recalled


def test_each_start_hears_its_own_lines_and_recalls_the_earlier_ones(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert run(log, "print('one')") == (["one"], [])
    assert run(log, "print('two')") == (["two"], ["one"])


def test_the_package_is_found_from_anywhere(tmp_path: Path) -> None:
    heard, _ = run(tmp_path / "log.txt", "import pixel_core, os; print(os.getcwd())")
    assert heard == [str(tmp_path)]


def test_a_failure_says_how_it_ended_and_what_it_said_last(tmp_path: Path) -> None:
    text = "import sys; print('loading'); sys.exit('no GPU: see http://me:secret@host/x')"
    with pytest.raises(StageFailed, match=r"(?s)ended with code 1.*no GPU") as failed:
        run(tmp_path / "log.txt", text)
    assert "secret" not in str(failed.value)
    assert "log.errors.txt" in str(failed.value)


def test_a_killed_process_is_named_by_its_signal(tmp_path: Path) -> None:
    text = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(StageFailed, match=r"SIGKILL(?s:.*)it said nothing"):
        run(tmp_path / "log.txt", text)


SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"  # ended; nobody has asked for its code yet


def test_it_ends_with_what_its_listener_raises(tmp_path: Path) -> None:
    pids: list[int] = []

    def heard(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_end([], tmp_path / "log.txt", heard, list, 60.0, program=program(SLEEPS))
    assert gone(pids[0])


def test_it_may_not_take_longer_than_allowed(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"rl\.openrlhf\.timeout_h"):
        run(tmp_path / "log.txt", SLEEPS, timeout_s=0.1)


def test_it_does_not_outlive_a_stage_that_was_killed_outright(tmp_path: Path) -> None:
    """``launch`` asks the kernel for it: a stage that gets SIGKILL can do nothing more."""
    (tmp_path / "openrlhf" / "cli").mkdir(parents=True)
    (tmp_path / "openrlhf" / "cli" / "train_ppo_ray.py").write_text(
        "import os, sys, time\n"
        "assert __name__ == '__main__'\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    said = tmp_path / "pid"
    stage = (
        "from pathlib import Path\n"
        "from pixel_core.training.openrlhf.process import run_to_end\n"
        f"run_to_end([{str(said)!r}], Path({str(tmp_path / 'log.txt')!r}), print, print, 60)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    with subprocess.Popen(program(stage), env={**os.environ, "PYTHONPATH": path}) as parent:
        until = time.monotonic() + 60
        while not (said.exists() and said.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
    child = int(said.read_text())
    while not gone(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(child)
