"""Stages as jobs of a real Ray cluster: made once, followed, met again, gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import job_stages
import pytest
from gateway import gateway
from job_bench import Bench, wait_until
from job_stages import PATH, REFUSED, STEPPING, STEPS, make
from real_ray import RealRay, real_ray
from tiny_stages import NUMBERS

from pixel_core.errors import ClusterError, DataError
from pixel_core.workflow.cluster.remote import run_on_cluster
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.store import Store

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RealRay]:
    """Its head alone: that is where Ray starts a job, whatever other nodes there are."""
    with real_ray(nodes=0) as cluster:
        yield cluster


def test_two_runs_share_one_job_that_makes_what_a_local_run_makes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gate.touch()
    outcomes: list[StageOutcome] = []
    second = threading.Thread(target=lambda: outcomes.append(make(bench.config(), bench.store)))
    second.start()
    outcomes.append(bench.make())
    second.join()
    assert sorted(outcome.status for outcome in outcomes) == ["built", "reused"]
    assert len(bench.pids()) == 1
    made = outcomes[0].artifact
    assert "runtime_resources" in made.metrics["code"], "the nodes ran code of their own"

    monkeypatch.setenv("GATE", str(bench.gate))
    monkeypatch.setenv("STARTED", str(bench.started_file))
    elsewhere = Store.open(str(bench.folder / "elsewhere"))
    config = bench.config()
    inputs = {"numbers": run_stage(NUMBERS, config, {}, elsewhere).artifact}
    local = run_stage(STEPPING, config, inputs, elsewhere).artifact
    assert (local.key, local.digest) == (made.key, made.digest)


@pytest.mark.slow
def test_a_killed_run_meets_its_job_again_without_reading_its_log_again(bench: Bench) -> None:
    config = bench.config(environment={"NOISE": "40000"})  # 4 MB
    program = [sys.executable, job_stages.__file__]
    first = subprocess.Popen(
        [*program, config.model_dump_json(), bench.store.uri],
        env={**os.environ, "PYTHONPATH": PATH},
    )
    bench.wait_for_start()
    first.kill()
    first.wait()
    with gateway(bench.ray.address) as counting:
        threading.Timer(1.0, bench.gate.touch).start()
        outcome = bench.make(bench.config(address=counting.address))
    assert outcome.artifact.metrics["resumed"] == 0
    assert len(bench.pids()) == 1
    assert "runs on" in bench.heard.said[0]
    assert "already: following the job stepping-" in bench.heard.said[0]
    assert bench.heard.updates[-1][:2] == (STEPS, STEPS)
    assert bench.heard.lines[-1] == f"step {STEPS - 1}"
    assert counting.received < 100_000


@pytest.mark.slow
def test_a_connection_that_drops_is_made_again_and_nothing_is_told_twice(bench: Bench) -> None:
    with gateway(bench.ray.address) as shaky:

        def interfere() -> None:
            bench.wait_for_start()
            wait_until(lambda: "step 2" in bench.heard.lines)
            shaky.go_down()
            bench.gate.touch()
            wait_until(lambda: shaky.refused > 1)
            shaky.come_up()

        helper = threading.Thread(target=interfere)
        helper.start()
        outcome = bench.make(bench.config(address=shaky.address))
        helper.join()
    assert outcome.artifact.metrics["resumed"] == 0
    assert [line for line in bench.heard.lines if line.startswith("step ")] == [
        f"step {step}" for step in range(STEPS)
    ]
    done = [done for done, _, _ in bench.heard.updates]
    assert done == sorted(set(done))
    assert done[-1] == STEPS
    assert bench.heard.updates[-1][2] == {"loss": 1 / STEPS}
    assert any("does not answer" in sentence for sentence in bench.heard.said)
    assert any("answers again" in sentence for sentence in bench.heard.said)


def test_a_killed_job_has_a_successor_that_goes_on_from_its_checkpoints(bench: Bench) -> None:
    def interfere() -> None:
        os.kill(bench.wait_for_start(), signal.SIGKILL)
        bench.gate.touch()

    helper = threading.Thread(target=interfere)
    helper.start()
    outcome = bench.make()
    helper.join()
    assert outcome.artifact.metrics["resumed"] == 3
    assert bench.jobs() == {"a1": "FAILED", "a2": "SUCCEEDED"}
    assert bench.heard.updates[-1][:2] == (STEPS, STEPS)


@pytest.mark.slow
def test_bad_data_is_not_tried_again_until_the_next_run(bench: Bench) -> None:
    store, config = bench.store, bench.config()
    with pytest.raises(DataError, match=r"^record 7 has no answer: mend the manifest$"):
        run_on_cluster(REFUSED, config, {}, store)
    assert len(bench.pids()) == 1
    bench.gate.touch()
    assert run_on_cluster(REFUSED, config, {}, store).status == "built"
    assert len(bench.pids()) == 2


@pytest.mark.slow
def test_an_interrupted_run_leaves_its_job_and_a_cancelled_one_stops_it(bench: Bench) -> None:
    def interrupt() -> None:
        if bench.pids():
            bench.wait_for_start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.make(patience=interrupt)
    assert bench.jobs() == {"a1": "RUNNING"}
    assert f"ray job stop --address {bench.ray.address} stepping-" in bench.heard.said[-1]

    with pytest.raises(KeyboardInterrupt):
        bench.make(patience=interrupt, cancelled=lambda: True)
    wait_until(lambda: bench.jobs() == {"a1": "STOPPED"})
    assert len(bench.pids()) == 1

    bench.gate.touch()
    outcome = bench.make(bench.config(code="installed"))
    assert outcome.artifact.metrics["resumed"] == 3
    assert "runtime_resources" not in outcome.artifact.metrics["code"]
    assert bench.jobs() == {"a1": "STOPPED", "a2": "SUCCEEDED"}


def test_nodes_with_other_content_are_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a key depends on must be the same there: else the artifact would be mislabelled."""
    monkeypatch.setenv("CONTENT", "here")
    config = bench.config(environment={"CONTENT": "there"})
    with pytest.raises(ClusterError, match="the nodes' code makes another key of numbers"):
        run_on_cluster(NUMBERS, config, {}, bench.store)
    assert bench.store.latest("numbers") is None


@pytest.mark.slow
def test_a_store_that_the_nodes_do_not_share_is_named(bench: Bench) -> None:
    with pytest.raises(ClusterError, match=r"Do the nodes reach the same store") as raised:
        bench.make(bench.config(store=str(bench.folder / "another")))
    assert str(bench.folder / "another") in str(raised.value)


def test_nobody_at_the_address(bench: Bench) -> None:
    with pytest.raises(ClusterError, match=r"no Ray cluster answers at http://127.0.0.1:1 "):
        bench.make(bench.config(address="http://127.0.0.1:1"))
