"""The training section: what it says agrees with what the stages do."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import page, variant

from pixel_core.config import (
    GuardsConfig,
    PipelineConfig,
    RewardConfig,
    RlConfig,
    SelectConfig,
    SftConfig,
)
from pixel_core.errors import DataError
from pixel_core.report.curves import training_panels
from pixel_core.report.health import HealthEvent, ending, health_rows, read_health
from pixel_core.report.material import read_material
from pixel_core.report.report import run
from pixel_core.report.reward_words import reward_text, reward_title
from pixel_core.report.selection import missed_rule
from pixel_core.report.training import rl_facts, sft_facts, training_parts
from pixel_core.training.curve import write_curve
from pixel_core.training.guards import Guards, write_health
from pixel_core.training.selection import Selection
from pixel_core.training.validation import BestWeights
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import SilentProgress

SPACE = "\N{NO-BREAK SPACE}"
STOP = HealthEvent(
    step=9, guard="rapr_collapse", action="stop", value=0.01, threshold=0.05, text="x; try y"
)


def reward(**fields: Any) -> RewardConfig:
    return RewardConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("config", "said", "not_said"),
    [
        (
            reward(alpha=0.7, beta=0.03, rapr_target=0.4, free_operations=2),
            [f"fewer than 40{SPACE}%", "0.7 times", "beyond the first 2 costs 0.03"],
            ["multiplier"],
        ),
        (reward(alpha=0), ["earns nothing", "costs 0.05"], ["shortfall"]),
        (reward(beta=0, free_operations=0), ["Calls cost nothing"], ["each call"]),
        (
            reward(preset="upstream_code", alpha=0.7, beta=0.03),
            ["last call failed", "attempt a call", "0.25 ×", "first costs 0.05"],
            ["0.7", "0.03"],
        ),
        (reward(preset="none", alpha=0.7), ["earn and cost nothing"], ["0.7", "multiplier"]),
        (
            reward(preset="lagrangian", free_operations=0, lagrangian={"rapr_max": 0.33}),
            ["multiplier", "between 0 and 0.33", "Each call costs the second"],
            ["shortfall"],
        ),
    ],
)
def test_the_reward_in_words_names_the_numbers_in_force(config, said, not_said) -> None:
    text = reward_text(config)
    assert [words for words in said if words not in text] == []
    assert [words for words in not_said if words in text] == []


def test_a_reward_without_curiosity_is_not_called_curious() -> None:
    assert "curiosity reward" in reward_title(reward())
    for config in (reward(alpha=0), reward(preset="none"), reward(preset="lagrangian")):
        assert "curiosity reward" not in reward_title(config)


ROW = {"reward_curiosity": 0.0, "reward_penalty": 0.0, "dual_rapr": 0.1, "loss": 0.0}


@pytest.mark.parametrize(
    ("config", "title"),
    [
        (reward(), "Curiosity and penalty"),
        (reward(beta=0), "Curiosity"),
        (reward(alpha=0), "Penalty"),
        (reward(preset="upstream_code"), "Curiosity and penalty"),
    ],
)
def test_the_rewards_parts_are_drawn_where_they_exist(config, title) -> None:
    rows = [ROW | {"step": n} for n in range(1, 5)]
    assert title in [panel.title for panel in training_panels("rl", rows, reward=config)]
    bare = training_panels("rl", rows, reward=reward(preset="none"))
    assert [panel.title for panel in bare] == ["Multipliers", "Policy loss"]


def test_settings_that_are_off_are_not_spoken_of() -> None:
    plain = " ".join(rl_facts(RlConfig()))
    on = {"replay": {"capacity": 8}, "resample_rounds": 2, "kl": 0.02, "entropy": 0.003}
    full = " ".join(rl_facts(RlConfig.model_validate(on | {"advantage": "leave_one_out"})))
    for words in ("2 further rounds", "earlier rollouts", "0.02", "0.003", "group's others"):
        assert words in full
        assert words not in plain


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=6),
    st.integers(1, 19),
    st.integers(0, 19),
    st.integers(1, 20),
    st.integers(1, 20),
)
@settings(deadline=None)
def test_the_selection_rules_outcome_is_the_one_training_had(
    checks, rapr, accuracy, rapr_room, accuracy_room
) -> None:
    """Against the rule itself, on scores as validation gives them and a curve keeps them."""
    select = SelectConfig(
        rapr=rapr / 20,
        rapr_at_most=min(20, rapr + rapr_room) / 20,
        accuracy_with_operation=accuracy / 20,
        accuracy_with_operation_at_most=min(20, accuracy + accuracy_room) / 20,
        every=1,
    )
    scores = [
        {"validation_rapr": used / 20}
        | ({"validation_accuracy_with_operation": min(right, used) / used} if used else {})
        for used, right in checks
    ]
    selection = Selection(select, scores.__getitem__)
    curve: list[dict[str, float]] = []
    for step in range(len(scores)):
        curve.append({"step": step + 1.0, "loss": 1.0, **selection.check(step, {})})
        if selection.reached():
            break
    kept = [{k: float(f"{v:.6g}") for k, v in row.items()} for row in curve]
    config = SftConfig(steps=len(scores), select=select)
    rule, outcome = sft_facts(config, kept)
    high = min(20, rapr + rapr_room)
    words = f"{5 * rapr}{SPACE}% to {5 * high}{SPACE}%"
    assert (words if high < 20 else f"at least {5 * rapr}{SPACE}%") in rule
    assert missed_rule(config, kept) is not selection.reached()
    if selection.reached():
        assert outcome.startswith(f"Reached at step {selection.metrics()['selected_at']}: ")
    else:
        assert outcome.startswith(f"Not reached in {len(scores)} steps")
        passed = selection.metrics().get("passed_at")
        assert ("window was first passed" in outcome) is (passed is not None)
        assert passed is None or f"passed at step {passed}." in outcome


def test_a_missed_rule_marks_the_warm_start_wherever_it_is_named(context, tmp_path) -> None:
    made = variant(context, tmp_path, "sft")
    check = {"step": 2, "loss": 1.0, "validation_rapr": 0.1, "validation_accuracy": 0.5}
    write_curve(made.inputs["sft"], [{"step": 1, "loss": 1.0}, check])
    values = made.config.model_dump()
    values["sft"] |= {"steps": 2, "select": {"rapr": 0.4, "every": 2}}
    config = PipelineConfig.model_validate(values)
    run(replace(made, config=config))
    text = page(made)
    assert "The rule that was to pick the warm start never held" in text
    assert text.count("Warm start (rule missed)") >= 10, "tile, charts, tables, episodes"
    assert "Warm start (rule missed) → policy" in text
    assert "Base model → warm start (rule missed)" in text
    assert '<span class="chip bad">rule missed</span>' in text
    # With the rule met nothing is marked.
    write_curve(made.inputs["sft"], [check | {"validation_rapr": 0.4}])
    run(replace(made, config=config))
    assert "rule missed" not in page(made)


def test_a_warm_start_of_no_steps_is_said() -> None:
    assert "No warm start" in sft_facts(SftConfig(steps=0), [])[0]
    assert sft_facts(SftConfig(), [{"step": 1, "loss": 1.0}]) == []


@given(st.lists(st.integers(0, 8), min_size=1, max_size=8))
@settings(deadline=None)
def test_the_weights_said_to_be_kept_are_the_ones_that_are(right: list[int]) -> None:
    team = WorkerGroup(0, 1, (0,), 1, SilentProgress())
    best = BestWeights(team, torch.nn.Linear(1, 1))
    curve = []
    for n, score in enumerate(right):
        best.offer(2 * n + 2, score / 8)
        curve += [{"step": 2 * n + 1}, {"step": 2 * n + 2, "validation_accuracy": score / 8}]
    kept = f"the weights of step {best.step}, the best of {len(right)} "
    chosen = RlConfig(keep="best", validate_every=2, validation_questions=8)
    assert kept in ending(chosen, curve, [])
    assert kept in ending(RlConfig(), curve, [STOP])
    assert ending(RlConfig(), curve, []).endswith("has the last weights.")


def test_a_stop_names_its_guard_and_a_run_without_validation_keeps_what_it_had() -> None:
    said = ending(RlConfig(steps=50), [{"step": n} for n in range(1, 10)], [STOP])
    assert "“rapr collapse” at step 9 of 50" in said
    assert said.endswith("the weights before that step.")
    assert ending(RlConfig(), [], []) == ""


def test_what_the_guards_write_is_read_and_shown(tmp_path: Path) -> None:
    """Every guard's own event, through the file, with a value and a remedy a reader finds."""
    well = {"loss": 0.1, "grad_norm": 1.0, "entropy": 0.5, "rapr": 0.3, "truncated": 0.0}
    sick = {"loss": 2.0, "grad_norm": 12.0, "entropy": 0.01, "rapr": 0.02, "truncated": 1.0}
    well |= {"accuracy_with_operation": 0.25, "accuracy_without_operation": 0.5}
    guards = Guards(
        GuardsConfig.model_validate({"useless_operation": {"steps": 11}}), SilentProgress()
    )
    rows = [well] * 10 + [sick] + [well] * 3 + [well | {"loss": math.nan}]
    for step, row in enumerate(rows):
        guards.admit(step, row)
    write_health(tmp_path, guards.events)
    events = read_health(tmp_path / "health.jsonl")
    assert events is not None
    assert {event.guard for event in events} == set(GuardsConfig.model_fields)
    shown = {row.guard: row for row in health_rows(events)}
    assert shown["loss spike"].value == "20 × the median"
    assert shown["gradient spike"].threshold == "10 × the median"
    assert shown["rapr collapse"].value == f"2.0{SPACE}%"
    assert shown["all truncated"].value == f"100.0{SPACE}%"
    assert shown["entropy collapse"].value == f"2.0{SPACE}% of the start"
    assert shown["non finite"].value == "1 in a row"
    assert shown["useless operation"].threshold == "0.0 points"
    assert shown["useless operation"].value == "-19.0 points"
    assert all("try " in row.text and row.step in (11, 15) for row in shown.values())
    assert read_health(tmp_path / "none.jsonl") is None


def test_warnings_are_marked_on_the_curves_they_are_about() -> None:
    rows = [{"step": n, "rapr": 0.2, "loss": 0.1} for n in range(1, 12)]
    marked, clear = training_panels("rl", rows, events=[STOP])
    assert "health warnings at step 9" in marked.chart.svg
    assert "health warning" in dict(marked.chart.legend)
    assert "health warning" not in clear.chart.svg


def lagrangian_run(context, tmp_path: Path):
    """A run that a guard stopped, under the preset with multipliers."""
    made = variant(context, tmp_path, "rl", "sft")
    rows = [
        {"step": float(n), "loss": 0.01, "rapr": 0.3, "accuracy": 0.5, "dual_rapr": n / 100}
        | {"accuracy_with_operation": 0.2, "dual_operations": 0.05, "replayed": 0.1}
        | ({"validation_accuracy": 0.6} if n == 5 else {})
        for n in range(1, 10)
    ]
    write_curve(made.inputs["rl"], rows)
    lines = [STOP.model_dump() | {"text": "RaPR <b>fell</b>; try more"}]
    (made.inputs["rl"] / "health.jsonl").write_text(json.dumps(lines[0]) + "\n")
    changed = {"rl": {"steps": 20, "reward": {"preset": "lagrangian"}}, "sft": {"steps": 0}}
    (made.inputs["sft"] / "curve.jsonl").write_text("")
    config = PipelineConfig.model_validate(made.config.model_dump() | changed)
    return replace(made, config=config)


@pytest.mark.ci
def test_the_page_of_a_stopped_run_says_why_and_what_is_kept(context, tmp_path) -> None:
    made = lagrangian_run(context, tmp_path)
    run(made)
    text = page(made)
    for words in (
        "reward with constraints on the use of operations",
        "Multipliers",
        "paid for an operation",
        "Accuracy with and without an operation",
        "“rapr collapse” at step 9 of 20",
        "the weights of step 5, the best of 1",
        "1 health warning<",
        "stopped the run",
        "RaPR &lt;b&gt;fell&lt;/b&gt;; try more",
        "No warm start",
    ):
        assert words in text
    assert "shortfall" not in text


def test_a_run_without_warnings_says_so_and_one_without_a_record_does_not(
    context, tmp_path
) -> None:
    made = variant(context, tmp_path, "rl")
    (made.inputs["rl"] / "health.jsonl").write_text("")
    run(made)
    assert "No health warning was given" in page(made)
    unknown = replace(read_material(made.inputs), health=None)
    assert training_parts(unknown, made.config)[-1].health is None


def test_a_line_that_is_no_warning_is_named(tmp_path) -> None:
    path = tmp_path / "health.jsonl"
    path.write_text(json.dumps(STOP.model_dump()) + '\n{"step": 1}\n')
    with pytest.raises(DataError, match=r"health.jsonl, line 2"):
        read_health(path)
