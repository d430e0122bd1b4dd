"""Leases among real processes: exclusion, death, standstill, and the loser's discovery."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from forked import Forked

from pixel_core.workflow.store.lease import LeaseLost, ProcessId, acquire
from pixel_core.workflow.store.open import open_storage
from pixel_core.workflow.store.storage import Storage

FOLDER = "leases/sft/key"


@pytest.fixture
def storage(store_uri: str) -> Storage:
    return open_storage(store_uri)


def silent(holder: ProcessId | None) -> None:
    pass


def numbers(storage: Storage) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in storage.entries(FOLDER)]


def hold(storage: Storage, mark: Path, ttl: float, seconds: float, result: Path) -> None:
    with acquire(storage, FOLDER, waiting=silent, ttl=ttl) as lease:
        mark.touch()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            lease.check()
            result.write_text("mine")
        except LeaseLost as error:
            result.write_text(f"lost: {error}")


def start_holder(
    storage: Storage, tmp_path: Path, ttl: float = 20.0, seconds: float = 60.0
) -> multiprocessing.process.BaseProcess:
    mark = tmp_path / "held"
    child = Forked(target=hold, args=(storage, mark, ttl, seconds, tmp_path / "result"))
    child.start()
    while not mark.exists():
        time.sleep(0.01)
    return child


def increment(storage: Storage, counter: Path, times: int) -> None:
    for _ in range(times):
        with acquire(storage, FOLDER, waiting=silent, poll=0.01):
            value = int(counter.read_text())
            time.sleep(0.005)
            counter.write_text(str(value + 1))


@pytest.mark.ci
def test_one_holder_at_a_time(storage: Storage, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [Forked(target=increment, args=(storage, counter, 5)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert counter.read_text() == "20"
    assert len(numbers(storage)) == 1  # older numbers do not pile up


@pytest.mark.parametrize("reaped", [True, False])
def test_killed_holder_is_replaced_at_once(
    storage: Storage, tmp_path: Path, reaped: bool
) -> None:
    child = start_holder(storage, tmp_path)
    os.kill(child.pid or 0, signal.SIGKILL)
    if reaped:
        child.join()
    # Until a claim without a beat expires would be longer than a test may take.
    with acquire(storage, FOLDER, waiting=silent, ttl=600.0) as lease:
        lease.check()
    child.join()


@pytest.mark.ci
def test_many_waiters_for_a_dead_holder_do_not_overlap(
    storage: Storage, tmp_path: Path
) -> None:
    child = start_holder(storage, tmp_path)
    inside, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with acquire(storage, FOLDER, waiting=silent, poll=0.01):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with guard:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert most == 1


def test_beating_holder_is_waited_for(storage: Storage, tmp_path: Path) -> None:
    child = start_holder(storage, tmp_path, ttl=1.0, seconds=3.0)
    told: list[ProcessId | None] = []
    with acquire(storage, FOLDER, waiting=told.append, ttl=1.0, poll=0.1):
        assert (tmp_path / "result").read_text() == "mine"
    child.join()
    assert [holder and holder.pid for holder in told] == [child.pid]


def test_stopped_holder_loses_and_learns_it(storage: Storage, tmp_path: Path) -> None:
    child = start_holder(storage, tmp_path, ttl=1.0, seconds=1.0)
    os.kill(child.pid or 0, signal.SIGSTOP)
    started = time.monotonic()
    with acquire(storage, FOLDER, waiting=silent, ttl=1.0, poll=0.1) as lease:
        assert time.monotonic() - started > 1.0
        os.kill(child.pid or 0, signal.SIGCONT)
        child.join(120)
        assert (tmp_path / "result").read_text().startswith("lost: another run took over")
        lease.check()  # the loser's clean-up must not take it away


@pytest.mark.parametrize("claim", ["foreign", "", "{", "null"])
def test_claim_of_a_vanished_machine_or_without_sense_expires(
    storage: Storage, claim: str
) -> None:
    if claim == "foreign":
        process = {"host": "elsewhere", "scope": "", "pid": os.getpid(), "started": "1"}
        claim = json.dumps({"token": "x", "process": process, "beat": 7})
    storage.write(f"{FOLDER}/00000004.json", claim.encode())
    told: list[ProcessId | None] = []
    started = time.monotonic()
    with acquire(storage, FOLDER, waiting=told.append, ttl=0.5, poll=0.05) as lease:
        lease.check()
    assert time.monotonic() - started > 0.5
    assert len(told) == 1
    assert numbers(storage) == ["00000005.json"]


def test_number_of_a_dead_process_may_be_in_use_again(storage: Storage) -> None:
    """A claim with a live pid of this machine but another start time is a dead holder's."""
    with acquire(storage, FOLDER, waiting=silent):
        data = json.loads(storage.read(f"{FOLDER}/00000001.json") or b"")
    process = {**data["process"], "started": "1"}
    claim = {**data, "released": False, "process": process}
    storage.write(f"{FOLDER}/00000001.json", json.dumps(claim).encode())
    waited_for: list[ProcessId | None] = []
    with acquire(storage, FOLDER, waiting=waited_for.append):
        assert waited_for == []


class GivenUp(Exception):
    pass


def test_a_waiter_may_give_up(storage: Storage) -> None:
    """As a thread does that Ctrl-C can't reach; the holder keeps the lease."""
    looks = []

    def patience() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise GivenUp

    with acquire(storage, FOLDER, waiting=silent) as held:
        with pytest.raises(GivenUp):
            acquire(storage, FOLDER, waiting=silent, patience=patience, poll=0.01)
        held.check()
