"""Several runs on one store, and runs that are killed: computed once, blocked never."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from tiny_stages import (
    NUMBERS,
    below,
    make_squares,
    small,
    stage,
)

from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import LeaseLost, Store

# Not forked: a test before may have left threads in this process.
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(store_uri: str) -> Store:
    return Store.open(store_uri)


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    """For what does not depend on the kind of storage, or looks into its files."""
    return Store.open(str(tmp_path / "store"))


def wait_for(path: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.02)


@pytest.mark.ci
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_ended_run_is_continued_at_once(
    store: Store, how: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage(NUMBERS, small(), {}, store)
    monkeypatch.setenv("STOP_AT", "4")
    monkeypatch.setenv("STOPPED", str(tmp_path / "stopped"))
    child = SPAWN.Process(target=make_squares, args=(store,))
    child.start()
    wait_for(tmp_path / "stopped")
    os.kill(child.pid or 0, how)
    child.join(120)
    assert child.exitcode != 0
    monkeypatch.delenv("STOP_AT")
    said: list[str] = []
    outcome = make_squares(store, say=said.append)
    assert outcome.artifact.metrics["resumed"] == 4
    assert not [sentence for sentence in said if "waiting for" in sentence]
    if how == signal.SIGINT:
        assert below(store, "staging") == []


@pytest.mark.ci
def test_two_runs_at_once_compute_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage(NUMBERS, small(), {}, store)
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))
    children = [SPAWN.Process(target=make_squares, args=(store,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert len((tmp_path / "started").read_text().splitlines()) == 1
    assert make_squares(store).status == "reused"


def test_waiting_run_says_for_whom_and_joins(
    folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage(NUMBERS, small(), {}, folder)
    monkeypatch.setenv("STOP_AT", "2")
    monkeypatch.setenv("STOPPED", str(tmp_path / "stopped"))
    child = SPAWN.Process(target=_briefly_stopped, args=(folder,))
    child.start()
    wait_for(tmp_path / "stopped")
    monkeypatch.delenv("STOP_AT")
    said: list[str] = []
    outcome = make_squares(folder, say=said.append)
    child.join(120)
    assert said == [f"waiting for {os.uname().nodename}:{child.pid}, which computes squares"]
    assert (outcome.status, outcome.reason) == ("reused", "another run made it meanwhile")


def _briefly_stopped(store: Store) -> None:
    """The stage's long sleep, cut to a second in this child."""
    nap = time.sleep
    time.sleep = lambda seconds: nap(min(seconds, 1.0))
    make_squares(store)


def test_result_of_a_run_that_was_overtaken_is_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE", store.uri)
    with pytest.raises(LeaseLost, match="another run took over"):
        run_stage(stage("overtaken"), small(), {}, store)
    assert store.latest("overtaken") is None
    assert below(store, "artifacts/overtaken") == []
