"""The plan says what a run then does, and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from forked import Forked
from tiny_stages import NUMBERS, STAGES, small

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.workflow.planning import Decision, forced_stages, plan, stages_until
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


def run(
    store: Store, config: PipelineConfig, stages: tuple[Stage, ...] = STAGES
) -> list[StageOutcome]:
    made: dict[str, StageOutcome] = {}
    for stage in stages:
        inputs = {name: outcome.artifact for name, outcome in made.items()}
        made[stage.name] = run_stage(stage, config, inputs, store)
    return list(made.values())


def told(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(decision.action, decision.reason) for decision in decisions]


def test_empty_store_builds_everything_and_plan_writes_nothing(store: Store) -> None:
    decisions = plan(small(), store, stages=STAGES)
    assert told(decisions) == [
        ("run", "never built"),
        ("run", "input `numbers` will be rebuilt"),
        ("run", "input `squares` will be rebuilt"),
    ]
    assert decisions[0].key is not None
    assert [decision.key for decision in decisions[1:]] == [None, None]
    assert not Path(store.uri).exists()


def test_finished_run_is_reused(store: Store) -> None:
    outcomes = run(store, small())
    decisions = plan(small(), store, stages=STAGES)
    assert told(decisions) == [("reuse", "unchanged")] * 3
    assert [d.artifact for d in decisions] == [outcome.artifact for outcome in outcomes]
    assert {decision.warning for decision in decisions} == {""}


def test_plan_names_the_setting_that_changed(store: Store) -> None:
    run(store, small(sft={"optimizer": {"learning_rate": 0.001}}))
    config = small(sft={"optimizer": {"learning_rate": 0.0005}})
    decisions = plan(config, store, stages=STAGES)
    assert told(decisions) == [
        ("reuse", "unchanged"),
        ("run", "`sft.optimizer.learning_rate` 0.001 -> 0.0005"),
        ("run", "input `squares` will be rebuilt"),
    ]
    outcomes = run(store, config)
    assert [o.reason for o in outcomes[:2]] == [d.reason for d in decisions[:2]]
    # The same squares: the sum is not made again.
    assert outcomes[2].status == "reused"


def test_changes_are_told_against_what_was_used_last(store: Store) -> None:
    for rate in (0.001, 0.002, 0.001):
        run(store, small(sft={"optimizer": {"learning_rate": rate}}))
    config = small(sft={"optimizer": {"learning_rate": 0.003}})
    reason = plan(config, store, stages=STAGES)[1].reason
    assert reason == "`sft.optimizer.learning_rate` 0.001 -> 0.003"


def test_where_a_stage_runs_changes_nothing(store: Store) -> None:
    run(store, small())
    config = small(runtime={"workers": 7}, sft={"checkpoint_every": 3})
    assert {d.action for d in plan(config, store, stages=STAGES)} == {"reuse"}


def test_changed_input_is_the_reason(store: Store) -> None:
    run(store, small())
    config = small(ingest={"drawn": {"train": 8}})
    first = plan(config, store, stages=STAGES)[0]
    assert first.reason == "`ingest.drawn.train` 6 -> 8"
    run(store, config, (NUMBERS,))
    assert plan(config, store, stages=STAGES)[1].reason == "input `numbers` changed"


def test_new_version_and_new_content_are_reasons(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, small())
    newer = Stage(**{**vars(NUMBERS), "version": 2})
    assert plan(small(), store, stages=(newer,))[0].reason == "the stage's version 1 -> 2"
    monkeypatch.setenv("CONTENT", "new")
    assert plan(small(), store, stages=STAGES)[0].reason == "`fingerprint.content` '' -> 'new'"


def test_many_changes_are_cut_short(store: Store) -> None:
    run(store, small())
    changes = {"steps": 7, "batch": 7, "shards": 7, "seed": 7, "freeze_vision": True}
    reason = plan(small(sft=changes), store, stages=STAGES)[1].reason
    assert reason.startswith("`sft.steps` 100 -> 7; ")
    assert reason.endswith("; and 2 more")


def test_damage_is_told_with_its_file(store: Store) -> None:
    numbers = run(store, small())[0].artifact
    os.truncate(numbers.local() / "parts/odd.json", 3)
    decision = plan(small(), store, stages=STAGES)[0]
    assert told([decision]) == [("run", "damaged: parts/odd.json: size 3, expected 9")]
    assert decision.key == numbers.key


def test_forced_stages_and_what_follows(store: Store) -> None:
    run(store, small())
    decisions = plan(small(), store, force_from="squares", stages=STAGES)
    assert told(decisions) == [("reuse", "unchanged"), ("run", "forced"), ("run", "forced")]
    assert decisions[1].key is not None
    assert decisions[2].key is None
    assert forced_stages(None) == set()
    assert forced_stages("evaluate") == {"evaluate", "report"}


def test_until_takes_a_stage_and_its_needs_only(store: Store) -> None:
    assert [d.stage for d in plan(small(), store, until="squares", stages=STAGES)] == [
        "numbers",
        "squares",
    ]
    assert [stage.name for stage in stages_until("sft")] == [
        "ingest",
        "annotate",
        "synthesize",
        "base_model",
        "text_only",
        "sft",
    ]


@pytest.mark.parametrize("option", ["force_from", "until"])
def test_unknown_stage_is_refused_with_the_known_ones(store: Store, option: str) -> None:
    with pytest.raises(ConfigError, match=r"'sff'.*numbers, squares, total"):
        plan(small(), store, stages=STAGES, **{option: "sff"})


def test_changed_source_warns_but_does_not_rebuild(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "changing.py"
    module.write_text("def run(context):\n    (context.out / 'file').write_text('x')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stage = Stage("changing", 1, ("evaluate",), (), "changing:run", "")
    # In a process of its own: a process hashes the code that it runs once.
    child = Forked(target=run_stage, args=(stage, small(), {}, store))
    child.start()
    child.join()
    module.write_text(module.read_text() + "# another line\n")
    outcome = run_stage(stage, small(), {}, store)
    assert outcome.status == "reused"
    assert outcome.warning.startswith("the code of changing changed since this was made")
    assert "--from changing" in outcome.warning
    assert plan(small(), store, stages=(stage,))[0].warning == outcome.warning


def test_what_a_stage_warned_of_is_said_whenever_it_is_reused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "warning_stage.py"
    module.write_text(
        "def run(context):\n"
        "    (context.out / 'file').write_text('x')\n"
        "    return {'warning': '3 of 4 seeds are lost'}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    stage = Stage("warned", 1, ("evaluate",), (), "warning_stage:run", "")
    run_stage(stage, small(), {}, store)
    (decision,) = plan(small(), store, stages=(stage,))
    assert (decision.action, decision.warning) == ("reuse", "3 of 4 seeds are lost")
    assert run_stage(stage, small(), {}, store).warning == "3 of 4 seeds are lost"


def test_forcing_reaches_down_and_not_up() -> None:
    assert forced_stages("numbers", STAGES) == {"numbers", "squares", "total"}
    assert forced_stages("squares", STAGES) == {"squares", "total"}
    assert forced_stages("total", STAGES) == {"total"}
