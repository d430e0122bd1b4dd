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


KEY = "validation_accuracy_with_operation"
WINDOW = {"rapr": 0.2, "rapr_at_most": 0.5, "accuracy_with_operation": 0.3} | {
    "accuracy_with_operation_at_most": 0.6
}


def watched(scores: list[tuple[float, float]]) -> tuple[Selection, list[bool], list[str]]:
    """The rule over checks of (RaPR, accuracy with an operation): what it came to, whether it
    was reached after each, and what was said."""
    notes: list[str] = []
    rows = [{"validation_rapr": rapr, KEY: accuracy} for rapr, accuracy in scores]
    rule = SelectConfig.model_validate({**WINDOW, "every": 1})
    selection = Selection(rule, rows.__getitem__, notes.append)
    reached = []
    for step in range(len(rows)):
        selection.check(step, {})
        reached.append(selection.reached())
    return selection, reached, notes


def test_a_window_ends_training_where_all_of_its_bounds_hold() -> None:
    selection, reached, notes = watched([(0.1, 0.9), (0.3, 0.2), (0.5, 0.6)])
    assert reached == [False, False, True], "bounds belong to the window"
    # A handful of right answers with an operation is no operation that pays too early.
    assert notes == []
    assert "passed_at" not in selection.metrics()


@pytest.mark.parametrize("beyond", [(0.6, 0.4), (0.4, 0.7)])
def test_a_passed_window_is_said_once_and_a_later_check_may_lie_in_it(beyond) -> None:
    selection, reached, [note] = watched([(0.3, 0.2), beyond, beyond, (0.4, 0.4)])
    assert reached == [False, False, False, True]
    assert "window was passed at step 2" in note
    assert str(max(beyond)) in note
    assert "_at_most is" in note
    found = selection.metrics()
    assert (found["selected"], found["selected_at"], found["passed_at"]) == (True, 4, 2)


def test_a_window_that_was_passed_for_good_is_missed_with_another_remedy() -> None:
    selection, reached, notes = watched([(0.3, 0.2), (0.4, 0.7), (0.6, 0.8)])
    assert not any(reached)
    assert len(notes) == 1
    found = selection.metrics()
    assert (found["selected"], found["passed_at"]) == (False, 2)
    missed = selection.missed(3)
    assert "first passed at step 2" in missed
    assert "sft.select.every" in missed
    assert "Raise sft.steps" not in missed
    # The checkpoint carries it.
    again = Selection(SelectConfig.model_validate(WINDOW), lambda step: {})
    again.load(selection.state())
    assert again.metrics() == found


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"rapr": 0.3, "rapr_at_most": 0.2}, "rapr_at_most 0.2 is not above rapr 0.3"),
        ({"rapr": 0.3, "rapr_at_most": 0.3}, "no check could lie between"),
        (
            {"rapr": 0.3, "accuracy_with_operation_at_most": 0},
            "accuracy_with_operation_at_most 0 is not above accuracy_with_operation 0",
        ),
    ],
)
def test_bounds_without_room_between_them_are_refused(section, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SelectConfig.model_validate(section)


def test_a_window_without_upper_bounds_is_the_rule_it_was() -> None:
    """Artifacts from before there were such bounds are still what these settings make."""
    rule = SelectConfig(rapr=0.2, accuracy_with_operation=0.3)
    assert rule.idle_fields() == {"rapr_at_most", "accuracy_with_operation_at_most"}
    assert "rapr_at_most" not in SelectConfig(rapr=0.2, rapr_at_most=0.4).idle_fields()
    # No rule, no bounds: an arm turns the rule off with sft.select.rapr alone.
    off = SelectConfig.model_validate(WINDOW | {"rapr": 0})
    assert off.idle_fields() == frozenset(SelectConfig.model_fields) - {"rapr"}


def test_no_steps_hand_the_base_model_on_untouched(small: SmallRun) -> None:
    ran = small.staged("untouched", sft=SftConfig(steps=0))
    base = small.inputs["base_model"] / "model"
    for file in base.iterdir():
        assert (ran.out / "model" / file.name).read_bytes() == file.read_bytes()
    assert ran.curve() == []
    assert ran.metrics["steps"] == 0
    assert "no warm start" in ran.notes[0]
