"""Running stages for real: reuse, repair, resume, force, and what a failure leaves."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from tiny_stages import (
    STAGES,
    TOTAL,
    below,
    make_squares,
    small,
    squares_of,
    stage,
)

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError, StageFailed
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.store import Store


@pytest.fixture
def store(store_uri: str) -> Store:
    return Store.open(store_uri)


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    """For what does not depend on the kind of storage, or looks into its files."""
    return Store.open(str(tmp_path / "store"))


def run_all(store: Store, config: PipelineConfig | None = None) -> dict[str, StageOutcome]:
    outcomes: dict[str, StageOutcome] = {}
    for each in STAGES:
        made = {name: outcome.artifact for name, outcome in outcomes.items()}
        outcomes[each.name] = run_stage(each, config or small(), made, store)
    return outcomes


def test_what_changes_while_it_is_read_is_not_stored(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTENT", "first")
    reader = stage("edited", sections=("ingest",), fingerprint="tiny_stages:fingerprint")
    with pytest.raises(DataError, match="changed while it was being read"):
        run_stage(reader, small(), {}, folder)
    assert run_stage(reader, small(), {}, folder).status == "built"  # now it stays as it is


def statuses(outcomes: dict[str, StageOutcome]) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def test_stages_are_built_once_and_then_reused(store: Store) -> None:
    first = run_all(store)
    assert set(statuses(first).values()) == {"built"}
    assert squares_of(first["squares"].artifact) == [0, 4, 16, 1, 9, 25]
    second = run_all(Store.open(store.uri))
    assert set(statuses(second).values()) == {"reused"}
    assert {o.reason for o in second.values()} == {"unchanged"}
    for name in first:
        assert second[name].artifact.manifest == first[name].artifact.manifest
    assert below(store, "work") == below(store, "staging") == below(store, "tmp") == []


def test_manifest_tells_where_the_artifact_came_from(folder: Store) -> None:
    outcomes = run_all(folder)
    manifest = outcomes["squares"].artifact.manifest
    numbers = outcomes["numbers"].artifact
    assert manifest.inputs["numbers"].key == numbers.key
    assert manifest.inputs["numbers"].digest == numbers.digest
    assert manifest.costs == {"usd": 0.25}
    assert manifest.metrics == {"resumed": 0}
    assert manifest.timings["run_seconds"] > 0
    assert [entry.path for entry in numbers.manifest.files] == [
        "parts/even.json",
        "parts/odd.json",
    ]


def test_equal_bytes_stop_the_wave(folder: Store) -> None:
    sealed = stage("seal", ("total",))
    before = run_all(folder)
    run_stage(sealed, small(), {"total": before["total"].artifact}, folder)
    after = run_all(folder, small(ingest={"drawn": {"train": 7}}))
    # Six numbers or seven, the sum's sign is the same: what stands on it is not made again.
    assert statuses(after) == {"numbers": "built", "squares": "built", "total": "built"}
    outcome = run_stage(sealed, small(), {"total": after["total"].artifact}, folder)
    assert outcome.status == "reused"


def test_failed_stage_keeps_its_work_and_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL_AT", "4")
    with pytest.raises(ArithmeticError, match="step 4 failed"):
        make_squares(store)
    assert store.latest("squares") is None
    assert below(store, "staging") == []
    monkeypatch.delenv("FAIL_AT")
    outcome = make_squares(store)
    assert outcome.artifact.metrics["resumed"] == 4
    assert squares_of(outcome.artifact) == [0, 4, 16, 1, 9, 25]
    assert below(store, "work") == []


def test_forced_run_starts_over_and_readers_keep_the_old_files(store: Store) -> None:
    before = make_squares(store).artifact
    old_folder = before.local()
    outcome = make_squares(store, forced=True)
    assert (outcome.status, outcome.reason) == ("built", "forced")
    assert outcome.artifact.key == before.key
    assert outcome.artifact.manifest.generation != before.manifest.generation
    assert json.loads((old_folder / "squares.json").read_text()) == [0, 4, 16, 1, 9, 25]


def test_forced_run_ignores_older_checkpoints(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for forced in (False, True, True):
        monkeypatch.setenv("FAIL_AT", "3")
        with pytest.raises(ArithmeticError):
            make_squares(folder, forced=forced)
        monkeypatch.delenv("FAIL_AT")
    assert make_squares(folder, forced=True).artifact.metrics["resumed"] == 0


def test_plain_run_goes_on_from_a_forced_one_that_failed(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL_AT", "3")
    with pytest.raises(ArithmeticError):
        make_squares(folder, forced=True)
    monkeypatch.delenv("FAIL_AT")
    assert make_squares(folder).artifact.metrics["resumed"] == 3


def test_plain_run_reuses_what_a_failed_forced_run_would_have_replaced(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_squares(folder).artifact
    monkeypatch.setenv("FAIL_AT", "3")
    with pytest.raises(ArithmeticError):
        make_squares(folder, forced=True)
    outcome = make_squares(folder)
    assert outcome.status == "reused"
    assert outcome.artifact.manifest == before.manifest


def test_named_forced_computation_can_be_retried(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_squares(folder)
    monkeypatch.setenv("FAIL_AT", "3")
    with pytest.raises(ArithmeticError):
        make_squares(folder, forced=True, generation="again")
    monkeypatch.delenv("FAIL_AT")
    outcome = make_squares(folder, forced=True, generation="again")
    assert outcome.artifact.metrics["resumed"] == 3
    assert make_squares(folder, forced=True, generation="again").status == "reused"
    assert make_squares(folder, forced=True, generation="once more").status == "built"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "wrote no file"),
        ("not_a_number", "metrics.loss = nan"),
        ("link", "'link', which is a link"),
    ],
)
def test_output_that_cannot_be_an_artifact_is_refused(
    folder: Store, name: str, told: str
) -> None:
    with pytest.raises(StageFailed, match=told):
        run_stage(stage(name), small(), {}, folder)
    assert folder.latest(name) is None
    assert below(folder, "staging") == []


def test_artifacts_and_stores_travel_between_processes(store: Store) -> None:
    outcome = make_squares(store)
    there = pickle.loads(pickle.dumps((store, outcome.artifact)))
    assert squares_of(there[1]) == [0, 4, 16, 1, 9, 25]
    assert there[0].load("squares", outcome.artifact.key) == there[1]


def test_total_depends_on_its_constant_arguments(folder: Store) -> None:
    squares = make_squares(folder).artifact
    first = run_stage(TOTAL, small(), {"squares": squares}, folder)
    other = stage("total", ("squares",), arguments={"start": -1000})
    second = run_stage(other, small(), {"squares": squares}, folder)
    assert second.reason == "`arguments.start` 1 -> -1000"
    assert (first.artifact.local() / "sign.txt").read_text() == "+"
    assert (second.artifact.local() / "sign.txt").read_text() == "-"
