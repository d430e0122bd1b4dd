"""Health guards on rows: what they call sick, how often they say it, and what they remember."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_run import Heard

from pixel_core.config import GuardsConfig
from pixel_core.training.guards import CALM, SETTLED, Guards, write_health

WELL = {"loss": 0.1, "grad_norm": 1.0, "entropy": 0.5, "rapr": 0.3, "truncated": 0.0}
Row = dict[str, float]


def watch(rows: list[Row], **guards: dict[str, Any]) -> tuple[Guards, list[str], list[bool]]:
    heard = Heard()
    watching = Guards(GuardsConfig.model_validate(guards), heard)
    return watching, heard.notes, [watching.admit(n, row) for n, row in enumerate(rows)]


def test_a_healthy_run_is_left_alone() -> None:
    rows = [WELL | {"loss": 0.1 * (-1) ** n, "entropy": 0.5 - n / 300} for n in range(100)]
    guards, notes, admitted = watch(rows)
    assert guards.events == notes == []
    assert all(admitted)


SICK = {
    "loss_spike": ({"loss": -1.5}, 15.0, 10.0, "rl.optimizer.learning_rate"),
    "gradient_spike": ({"grad_norm": 25.0}, 25.0, 10.0, "max_grad_norm"),
    "entropy_collapse": ({"entropy": 0.01}, 0.02, 0.1, "rl.entropy"),
    "rapr_collapse": ({"rapr": 0.01}, 0.01, 0.05, "rl.reward.alpha"),
    "all_truncated": ({"truncated": 1.0}, 1.0, 1.0, "max_new_tokens"),
    "non_finite": ({"loss": math.nan}, 1.0, 3.0, "learning_rate"),
}


@pytest.mark.parametrize("name", SICK)
def test_each_guard_knows_its_sign_and_says_what_to_try(name: str) -> None:
    change, value, threshold, remedy = SICK[name]
    rows = [WELL] * (SETTLED + 4) + [WELL | change] + [WELL] * 5
    guards, notes, admitted = watch(rows)
    [event] = guards.events
    assert (event.guard, event.step, event.action) == (name, SETTLED + 5, "warn")
    assert event.value == pytest.approx(value)
    assert event.threshold == threshold
    [note] = notes
    assert note.startswith(f"{name.replace('_', ' ')} at step {SETTLED + 5}: ")
    assert remedy in note
    assert f"{threshold:g}" in note or f"{threshold:.0%}" in note
    assert all(admitted)


@pytest.mark.parametrize("name", SICK)
def test_a_guard_that_stops_ends_the_run_and_one_that_is_off_is_silent(name: str) -> None:
    rows = [WELL] * (SETTLED + 4) + [WELL | SICK[name][0]] * 3
    stopping = {"action": "stop"} | ({"threshold": 1} if name == "non_finite" else {})
    guards, notes, admitted = watch(rows, **{name: stopping})
    assert admitted.index(False) == SETTLED + 4
    assert (guards.stopped_by, guards.stopped_at) == (name, SETTLED + 5)
    assert guards.ended()
    assert [note for note in notes if note.endswith("training stops here")] == notes[:1]
    guards, notes, admitted = watch(rows, **{name: {"action": "off"}})
    assert not [event for event in guards.events if event.guard == name]
    assert all(admitted)


def operating(rapr: float, right: float, otherwise: float) -> Row:
    return WELL | {
        "rapr": rapr,
        "accuracy_with_operation": right,
        "accuracy_without_operation": otherwise,
    }


@pytest.mark.parametrize(
    ("rows", "steps"),
    [
        ([operating(0.3, 0.2, 0.4)] * 20, [10]),  # one event, as long as it lasts
        ([operating(0.3, 0.4, 0.4)] * 20, [10]),  # as good is not better
        ([operating(0.3, 0.5, 0.4)] * 20, []),
        ([operating(0.1, 0.2, 0.4)] * 20, []),  # hardly used: another guard's matter
        ([operating(1.0, 0.2, 0.0)] * 20, []),  # nothing to compare with
        ([operating(0.3, 0.2, 0.4)] * 4 + [operating(0.3, 0.9, 0.4)] * 20, []),
        # Pooled over rollouts: many that are right outweigh steps with few that are wrong.
        ([operating(0.15, 0.0, 0.4), operating(0.9, 0.6, 0.4)] * 10, []),
    ],
)
def test_an_operation_that_is_kept_up_and_does_not_pay(
    rows: list[Row], steps: list[int]
) -> None:
    guards, notes, admitted = watch(rows, useless_operation={"steps": 10})
    assert [event.step for event in guards.events] == steps
    assert all(event.guard == "useless_operation" for event in guards.events)
    assert all("longer warm start" in note for note in notes)
    assert all(admitted)


@pytest.mark.parametrize(
    ("hits", "read", "words"),
    [
        (0.2, 0.9, "20% of the last crops show the cue, and 90% of the answers after these"),
        (0.2, 0.9, "it misses"),
        (0.9, 0.2, "its crop is not read"),
        (0.9, 0.9, "answering at once does as well"),
        (0.0, None, "0% of the last crops show the cue: it misses"),
        (None, None, "look at what the crops show"),
    ],
)
def test_where_cues_are_known_the_warning_says_what_fails(hits, read, words: str) -> None:
    named = {"cue_rapr": 0.4, "operation_hits": hits, "crop_read": read}
    known = {name: value for name, value in named.items() if hits is not None}
    known = {name: value for name, value in known.items() if value is not None}
    sick = WELL | {"accuracy_with_operation": 0.2, "accuracy_without_operation": 0.5} | known
    guards, [note], _ = watch([sick] * 12, useless_operation={"steps": 10})
    assert words in note
    assert "longer warm start" in note
    # What it remembers goes through a checkpoint, also one from before there were cues.
    state = guards.state()
    del state["crops"]
    guards.load(state)
    assert guards.admit(12, dict(sick))


def test_an_event_is_told_once_and_again_only_after_a_calm() -> None:
    def cut(count: int) -> list[Row]:
        return [WELL | {"truncated": 1.0}] * count

    guards, _, _ = watch(cut(4) + [WELL] * (CALM - 2) + cut(4))
    assert [event.step for event in guards.events] == [1]
    guards, _, _ = watch(cut(4) + [WELL] * CALM + cut(4))
    assert [event.step for event in guards.events] == [1, 5 + CALM]


def test_rapr_that_was_never_high_cannot_collapse() -> None:
    low = [WELL | {"rapr": 0.0}] * 5
    assert watch(low + [WELL] * 4 + low)[0].events == []  # 5 high steps in a row are asked
    assert watch(low + [WELL] * 5 + low)[0].events[0].guard == "rapr_collapse"


def test_steps_without_a_signal_are_no_spikes() -> None:
    """No group had an advantage: loss and entropy are absent and the gradient is 0."""
    idle = {"grad_norm": 0.0, "rapr": 0.3, "truncated": 0.0}
    guards, _, admitted = watch([WELL] * 10 + [idle] * 10 + [WELL] * 10 + [idle] * 3 + [WELL])
    assert guards.events == []
    assert all(admitted)


def test_updates_that_are_no_number_are_counted_and_tolerated_apart() -> None:
    sick = WELL | {"grad_norm": math.inf}
    guards, _, admitted = watch([WELL, sick, sick, WELL, sick, sick, WELL])
    assert guards.skipped == 4
    assert not guards.ended()
    assert all(admitted)
    assert [event.action for event in guards.events] == ["warn"]


VALUES = st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0, 30.0, math.nan])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "loss": VALUES,
            "grad_norm": VALUES,
            "entropy": VALUES,
            "rapr": st.sampled_from([0.0, 0.2, 1.0]),
            "truncated": st.sampled_from([0.0, 1.0]),
        }
    ),
    max_size=40,
)


@given(ROWS, st.integers(0, 40))
def test_what_is_remembered_decides_as_if_never_interrupted(rows: list[Row], at: int) -> None:
    whole, _, admitted = watch(rows)
    first, _, before = watch(rows[:at])
    resumed = Guards(GuardsConfig(), Heard())
    resumed.load(json.loads(json.dumps(first.state())))
    after = [resumed.admit(at + n, row) for n, row in enumerate(rows[at:])]
    assert before + after == admitted
    assert resumed.events == whole.events
    assert resumed.skipped == whole.skipped
    assert resumed.stopped_at == whole.stopped_at


def test_events_are_written_one_a_line(tmp_path: Path) -> None:
    guards, _, _ = watch([WELL] * 9 + [WELL | {"grad_norm": math.nan, "truncated": 1.0}])
    write_health(tmp_path, guards.events)
    lines = [json.loads(line) for line in (tmp_path / "health.jsonl").open()]
    assert [line["guard"] for line in lines] == ["non_finite", "all_truncated"]
    assert set(lines[0]) == {"step", "guard", "action", "value", "threshold", "text"}
    write_health(tmp_path, [])
    assert (tmp_path / "health.jsonl").read_bytes() == b""
