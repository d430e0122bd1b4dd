"""Every benchmark runs and says what it measured; how fast is never asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import Times, in_turns
from pixel_core.config.profile import load_profile
from pixel_core.workflow.stage import SilentProgress
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import BY_NAME
from tasks.run import Run

ROOT = Path(__file__).resolve().parents[2]


def figures(name: str, *options: str) -> dict[str, dict]:
    command = [sys.executable, "-m", f"bench.{name}", "--repeats", "1", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["machine"]["cores"] >= 1
    return {figure["name"]: figure for figure in said["figures"]}


class Watching:
    """A run's watcher that does not watch."""

    def watch(self, stage: str) -> None:
        raise AssertionError(f"{stage} is run without Prefect")

    def ended(self, stage: str, outcome: object) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "few.toml"
    path.write_text('extends = "smoke"\n[ingest.drawn]\ntrain = 4\nvalidation = 2\ntest = 2\n')
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, profile: Path) -> Store:
    """A store whose last run really made its first stage."""
    store = Store.open(str(tmp_path_factory.mktemp("bench") / "store"))
    run = Run(load_profile(str(profile)), store, Watching(), until="ingest")
    with run.recorded():
        run.make(BY_NAME["ingest"], (), SilentProgress(), lambda text: None)
    return store


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "compared"),
    [
        ("pictures", ("--items", "2"), 1),
        ("ingest", ("--records", "20", "--pictures", "3"), 0),
        ("trajectories", ("--items", "3"), 0),
        ("tuning", ("--batch", "2", "--batches", "1"), 1),
        ("limits", ("--batch", "2", "--batches", "1"), 0),
        ("rollouts", ("--queries", "1", "--group", "2"), 1),
    ],
)
def test_it_measures(name: str, options: tuple[str, ...], compared: int) -> None:
    said = figures(name, *options)
    assert all(figure["value"] > 0 for figure in said.values())
    assert sum(figure["peer"] is not None for figure in said.values()) == compared


@pytest.mark.ci
def test_orchestration_is_what_the_stages_did_not_use(store: Store) -> None:
    said = figures("orchestration", "--store", store.uri)
    (run,) = [store.runs.get(name) for name in store.runs.ids()]
    assert run is not None
    made = store.load("ingest", str(run.stages["ingest"].key))
    assert made is not None
    wall = said["the run's wall time"]["value"]
    share = said["orchestration"]["value"]
    assert wall * (1 - share / 100) == pytest.approx(made.manifest.timings["run_seconds"])


@pytest.mark.slow
def test_a_warm_run_is_measured_and_a_cold_store_refused(store: Store, profile: Path) -> None:
    options = ("--store", store.uri, "--profile", str(profile), "--until", "ingest")
    said = figures("warm", *options)
    assert "1 stages reused" in said["pixel run"]["note"]
    cold = [sys.executable, "-m", "bench.warm", *options, "--store", f"{store.uri}-none"]
    done = subprocess.run(cold, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "lacks ingest" in done.stderr


def test_ratios_are_taken_within_a_turn() -> None:
    ours, theirs = Times((1.0, 10.0, 2.0)), Times((3.0, 30.0, 6.0))
    assert ours.times_as_fast_as(theirs) == pytest.approx(3.0)
    calls: list[str] = []
    in_turns({name: lambda n=name: calls.append(n) for name in "ab"}, 2, warm_up=0)
    assert calls == ["b", "a", "a", "b"]
