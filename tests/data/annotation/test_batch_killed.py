"""kill -9 and Ctrl-C at each moment of a batch's life: nothing is lost, or sent twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from batch_runs import KEY, Runs, paid_twice, until
from drawn_seeds import write_ingest

from pixel_core.data.annotation.batch import submit as batch_office
from pixel_core.dev.annotator import AnnotatorServer, Script, ScriptRule

pytestmark = pytest.mark.ci

SEEDS = 5
#: Two batches a round: of 3 and of 2.
SETTINGS: dict[str, Any] = {
    "batch": {"poll_s": 0.02, "max_requests": 3},
    "timeout_s": 60.0,
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ANNOTATOR_KEY", KEY)
    # Here no request is on its way for longer than that.
    monkeypatch.setattr(batch_office, "SETTLED_S", 0.1)
    monkeypatch.setattr(batch_office, "FIRST_WAIT_S", 0.05)


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ingest"
    write_ingest(folder, SEEDS)
    return folder


@pytest.fixture
def runs(ingest: Path, tmp_path: Path) -> Runs:
    return Runs(ingest, tmp_path / "store")


#: The rule that makes a moment last, its route, and how many requests of that route mark it.
MOMENTS = {
    "before its file is uploaded": ("server_error", "upload", 2, 1),
    "when its file is uploaded and nobody knows": ("slow", "upload", 2, 1),
    "when its file is noted and there is no batch": ("server_error", "create", 2, 1),
    "when there is a batch and nobody knows": ("slow", "create", 2, 1),
    "while it is in progress": ("batch_slow", "create", 2, 0),
    "when one of two is fetched": ("slow", "content", 2, 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_is_taken_up_and_nothing_is_sent_twice(runs: Runs, moment: str) -> None:
    do, route, count, first = MOMENTS[moment]
    rule = ScriptRule(do=do, route=route, first=first, seconds=60.0)
    with AnnotatorServer(script=Script(rules=(rule,))) as server:
        with runs.in_process(server.url, **SETTINGS) as process:
            until(lambda: server.journal.count(route) >= count, process, runs)
            if do == "batch_slow":
                until(lambda: server.journal.count("poll") >= 2, process, runs)
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        server.behave(Script())
        server.hurry()
        outcomes = runs(server.url, **SETTINGS)
        assert [outcomes[n].annotation is not None for n in range(SEEDS)] == [True] * SEEDS
        assert len(server.batches.statuses()) == 2
        assert server.journal.count("line") == SEEDS
        assert not paid_twice(server)
    assert not runs.noted()


def test_ctrl_c_leaves_the_batch_running_and_says_so(runs: Runs) -> None:
    with AnnotatorServer(batch_s=60.0) as server:
        with runs.in_process(server.url, **SETTINGS) as process:
            until(lambda: server.journal.count("poll") >= 2, process, runs)
            os.kill(process.pid, signal.SIGINT)
            process.join(10)
            assert process.exitcode == 1  # it ended by itself, with KeyboardInterrupt
        told = runs.told()
        assert "2 batches go on at the endpoint (batch_000001, batch_000002)" in told
        assert server.batches.statuses() == ["in_progress"] * 2
        server.hurry()
        assert len(runs(server.url, **SETTINGS)) == SEEDS
        assert "going on with batch batch_000001" in "".join(runs.heard.notes)
        assert server.journal.count("line") == SEEDS
