"""The record of runs: complete after every stage, true about runs that were killed."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from tiny_stages import small

from pixel_core.errors import StorageError
from pixel_core.workflow.store import StageRun, Store


@pytest.fixture
def store(store_uri: str) -> Store:
    return Store.open(store_uri)


def test_latest_run_is_the_one_started_last(store: Store) -> None:
    assert store.latest_run() is None
    first = store.runs.start("tiny", small())
    second = store.runs.start("smoke", small())
    store.runs.finish(first.id, "finished")
    latest = Store.open(store.uri).latest_run()
    assert latest is not None
    assert (latest.id, latest.profile, latest.status) == (second.id, "smoke", "running")
    assert store.runs.ids() == [first.id, second.id]
    assert not latest.was_killed


def test_stages_are_recorded_one_by_one(store: Store) -> None:
    run = store.runs.start("tiny", small())
    store.runs.record(run.id, StageRun(stage="ingest", status="running"))
    built = StageRun(stage="ingest", status="built", key="k", metrics={"n": 3}, seconds=0.5)
    store.runs.record(run.id, built)
    store.runs.record(run.id, StageRun(stage="sft", status="failed", reason="it broke"))
    ended = store.runs.finish(run.id, "failed")
    assert store.runs.get(run.id) == ended
    assert ended.stages["ingest"] == built
    assert list(ended.stages) == ["ingest", "sft"]
    assert ended.ended is not None
    assert ended.config["ingest"]["drawn"]["train"] == 6


def start_and_die(store: Store) -> None:
    store.runs.start("tiny", small())
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_run_is_told_from_a_running_one(store: Store) -> None:
    child = multiprocessing.get_context("fork").Process(target=start_and_die, args=(store,))
    child.start()
    child.join()
    run = store.latest_run()
    assert run is not None
    assert (run.status, run.was_killed) == ("running", True)


def test_record_that_is_gone_or_unreadable(store: Store) -> None:
    run = store.runs.start("tiny", small())
    newer = store.runs.start("tiny", small())
    store.storage.write(f"runs/{newer.id}.json", b'{"id": "of a later version"}')
    latest = store.latest_run()
    assert latest is not None
    assert latest.id == run.id
    store.storage.delete(f"runs/{run.id}.json")
    with pytest.raises(StorageError, match=run.id):
        store.runs.finish(run.id, "finished")


def test_credentials_in_an_address_are_not_recorded(store: Store) -> None:
    config = small(annotate={"openai": {"base_url": "https://me:hunter2@host/v1"}})
    run = store.runs.start("tiny", config)
    data = store.storage.read(f"runs/{run.id}.json") or b""
    assert b"hunter2" not in data
    assert b"https://host/v1" in data
