"""Ctrl-C, kill -9, and two runs at once: nothing finished is lost, nobody is blocked."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from pixel_program import Pixel

from flows.cli.prefect_server import LocalServer

STEP_S = "0.25"  # sft's 40 steps take 10 s: long enough to be met in the middle
SERVER = "flows.cli.server_process"


def wait_for_step(pixel: Pixel, step: int, process: subprocess.Popen[str]) -> None:
    """Until sft has saved that step, as its checkpoint in the store tells."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for saved in pixel.store.glob("work/sft/*/*/step"):
            lines = saved.read_bytes().split()
            if len(lines) == 2 and int(lines[1]) >= step:
                return
        time.sleep(0.05)
    pytest.fail(f"sft did not reach step {step}")


def children(pid: int) -> list[int]:
    """Processes whose parent is ``pid``, from /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def first_step(output: str) -> int:
    [line] = [line for line in output.splitlines() if "starts at step" in line]
    return int(line.rpartition(" ")[2])


@pytest.mark.ci
def test_ctrl_c_ends_it_says_what_is_kept_and_the_next_run_goes_on(
    lone_pixel: Pixel, pixel: Pixel
) -> None:
    process = lone_pixel.start("run", "--until", "sft", TINY_SFT_STEP_S=STEP_S)
    wait_for_step(lone_pixel, 5, process)
    servers = children(process.pid)
    assert servers, "the run started no private server"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    [line] = err.splitlines()
    assert f"kept in {lone_pixel.store}: ingest, annotate, synthesize, base_model" in line
    assert "what sft has saved so far" in line
    assert line.endswith("tiny_pixel.py run --until sft")
    assert not any(Path(f"/proc/{server}").exists() for server in servers)
    run = json.loads(lone_pixel.here("show", "--json").stdout)
    assert run["status"] == "interrupted"
    assert run["stages"]["sft"]["status"] == "interrupted"

    after = pixel("run", "--until", "sft")
    assert after.returncode == 0, after.stderr
    assert first_step(after.stdout) >= 5


@pytest.mark.ci
def test_an_interrupted_run_is_not_shown_as_running(pixel: Pixel, page: LocalServer) -> None:
    process = pixel.start("run", TINY_SFT_STEP_S=STEP_S)
    wait_for_step(pixel, 1, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    query = {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    [run] = httpx.post(f"{page.api_url}/flow_runs/filter", json=query).json()
    assert run["state"]["type"] == "CRASHED"
    query = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    tasks = httpx.post(f"{page.api_url}/task_runs/filter", json=query).json()
    states = {task["name"]: task["state"]["type"] for task in tasks}
    assert states["sft"] == "CRASHED"


@pytest.mark.ci
def test_a_killed_run_leaves_no_server_and_the_next_goes_on(
    lone_pixel: Pixel, pixel: Pixel
) -> None:
    process = lone_pixel.start("run", "--until", "sft", TINY_SFT_STEP_S=STEP_S)
    wait_for_step(lone_pixel, 5, process)
    servers = children(process.pid)
    assert servers
    process.kill()
    process.communicate(timeout=30)
    assert json.loads(lone_pixel.here("show", "--json").stdout)["status"] == "killed"
    after = pixel("run", "--until", "sft")
    assert after.returncode == 0, after.stderr
    assert first_step(after.stdout) >= 5
    assert not any(Path(f"/proc/{server}").exists() for server in servers)


@pytest.mark.slow
def test_a_forced_run_starts_anew_and_goes_on_when_it_was_interrupted(made: Pixel) -> None:
    forced = ("run", "--from", "sft", "--until", "sft")
    process = made.start(*forced, TINY_SFT_STEP_S=STEP_S)
    wait_for_step(made, 5, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert first_step(out) == 0
    again = made(*forced)
    assert again.returncode == 0, again.stderr
    assert "going on with the forced run" in again.stdout
    assert first_step(again.stdout) >= 5
    # That one was finished: the same command now means a new one.
    assert first_step(made(*forced).stdout) == 0


@pytest.mark.slow
def test_two_runs_at_once_with_private_servers_make_each_stage_once(
    lone_pixel: Pixel, tmp_path: Path
) -> None:
    """On a database that neither has migrated yet, too: not the usual one, which is a copy."""
    home = {
        "PREFECT_HOME": str(tmp_path / "new"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/own.db",
        "TINY_SFT_STEP_S": "0.1",
    }
    both = [lone_pixel.start("run", **home) for _ in range(2)]
    ended = [process.communicate(timeout=150) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    built = [
        line.split()[0]
        for out, _ in ended
        for line in out.splitlines()
        if line.split()[1:2] == ["built"]
    ]
    assert len(built) == len(set(built)) == 12
