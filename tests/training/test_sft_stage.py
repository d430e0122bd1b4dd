"""The warm start: its selection rule, and the one that is no warm start."""

from __future__ import annotations

import pytest
from small_run import HABITS, SmallRun

from pixel_core.config import SelectConfig, SftConfig
from pixel_core.training.selection import Selection

SELECTED = HABITS.model_copy(update={"select": SelectConfig(rapr=0.3, every=6, questions=6)})


def test_the_warm_start_ends_at_the_first_check_that_reaches_the_target(
    small: SmallRun,
) -> None:
    ran = small.sft("selected", SELECTED)
    at = ran.metrics["selected_at"]
    assert ran.metrics["selected"] is True
    assert at % 6 == 0
    assert len(ran.curve()) == ran.metrics["steps"] == at < HABITS.steps
    checks = {r["step"]: r["validation_rapr"] for r in ran.curve() if "validation_rapr" in r}
    assert list(checks) == list(range(6, at + 1, 6))
    assert all(value < 0.3 for step, value in checks.items() if step < at)
    assert checks[at] == pytest.approx(ran.metrics["validation_rapr"], rel=1e-5)
    assert ran.metrics["validation_rapr"] >= 0.3
    # Killed before its artifact was stored, it has nothing more to do.
    again = small.sft("selected", SELECTED)
    assert again.notes == [f"sft: going on from step {at} of {HABITS.steps}"]
    assert (again.metrics, again.weights()) == (ran.metrics, ran.weights())


def test_a_target_that_is_never_reached_is_said() -> None:
    selection = Selection(
        SelectConfig(rapr=0.5, every=2), lambda step: {"validation_rapr": step / 10}
    )
    for step in range(5):
        assert selection.check(step, {}) == ({"validation_rapr": step / 10} if step % 2 else {})
    assert not selection.reached()
    assert selection.metrics() == {"selected": False, "validation_rapr": 0.3}
    missed = selection.missed(5)
    assert "at the last check, validation_rapr was 0.3 (sft.select.rapr is 0.5)" in missed
    assert "after all 5 steps" in missed


def test_operations_must_also_be_right_where_the_rule_says_so() -> None:
    key = "validation_accuracy_with_operation"
    seen = [
        {"validation_rapr": 0.9},  # no operation counted: nothing to be right
        {"validation_rapr": 0.9, key: 0.1},
        {"validation_rapr": 0.1, key: 0.9},
        {"validation_rapr": 0.6, key: 0.4},
    ]
    rule = SelectConfig(rapr=0.5, accuracy_with_operation=0.3, every=1)
    selection = Selection(rule, lambda step: seen[step])
    reached = []
    for step in range(4):
        selection.check(step, {})
        reached.append(selection.reached())
    assert reached == [False, False, False, True]
    assert selection.metrics() == {"selected": True, "selected_at": 4, **seen[3]}


def test_no_steps_hand_the_base_model_on_untouched(small: SmallRun) -> None:
    ran = small.staged("untouched", sft=SftConfig(steps=0))
    base = small.inputs["base_model"] / "model"
    for file in base.iterdir():
        assert (ran.out / "model" / file.name).read_bytes() == file.read_bytes()
    assert ran.curve() == []
    assert ran.metrics["steps"] == 0
    assert "no warm start" in ran.notes[0]
