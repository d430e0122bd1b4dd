"""What a study says first: how often it came out, what carries it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config.study import ClaimsConfig
from pixel_core.evaluation.study.claims import ArmRapr, Held, held
from pixel_core.evaluation.study.lead import drawn_anew, lead, missed_words
from pixel_core.evaluation.study.matrix import CellSeeds
from pixel_core.evaluation.study.panels import use_panels
from pixel_core.evaluation.study.results import RunMachine, RunResult
from pixel_core.evaluation.study.summary import ArmSummary, Study

AVX2 = RunMachine("CPU 1, 2 cores", "AVX2")
AVX512 = RunMachine("CPU 2, 2 cores", "AVX512", "ONEDNN_MAX_CPU_ISA=AVX2")


def run(
    arm: str,
    seeds: tuple[int, int, int],
    *,
    selected: bool | None = True,
    place: RunMachine = AVX2,
    curve: Sequence[Mapping[str, float]] = (),
) -> RunResult:
    rows = [dict(row) for row in curve]
    return RunResult(arm, CellSeeds(*seeds), None, None, str(seeds), rows, selected, place)  # type: ignore[arg-type]


def study(runs: Sequence[RunResult], found: Sequence[Held] = ()) -> Study:
    """Of its runs only seeds, marks, places and curves matter here."""
    arms = {
        name: ArmSummary(name, [one for one in runs if one.arm == name], {})
        for name in dict.fromkeys(one.arm for one in runs)
    }
    return Study(arms, [], {}, [], list(found))


PAIR = [run("full", (0, 0, 2)), run("no_curiosity", (0, 0, 2))]


def test_one_base_model_is_said_and_what_its_intervals_are_over() -> None:
    [carried] = lead(study(PAIR))
    assert carried == (
        "2 runs in all, of each arm 1 base model, 1 warm start and 1 RL run. Intervals are over"
        " questions, and say nothing about other base models, warm starts or RL runs."
    )
    small = lead(study(PAIR), quick=True)
    assert "--quick" in small[0]
    assert small[1:] == [carried]


def test_a_whole_study_says_on_how_many_base_models_it_held() -> None:
    runs = [
        run(arm, (base, warm_start, rl))
        for base in (0, 1, 2)
        for warm_start in (0, 1)
        for rl in (2, 3)
        for arm in ("full", "no_curiosity")
    ]
    found = [
        Held("1a", "the trap without curiosity", {0: True, 1: True, 2: True}),
        Held("2a", "at least 12 points won over all questions", {0: True, 1: False, 2: True}),
        Held("2b", "at least 25 points won on digits", {0: False, 1: True, 2: True}),
    ]
    said = lead(study(runs, found))
    assert said == [
        "Of 3 base models: the trap without curiosity on 3; at least 12 points won over all "
        "questions on 2; at least 25 points won on digits on 2; all of it on 1.",
        "24 runs in all, of each arm 3 base models, 6 warm starts and 12 RL runs.",
    ]
    assert drawn_anew(study(runs)) == "base models, warm starts, RL runs and questions"


def test_missed_rules_and_mixed_machines_lead() -> None:
    runs = [*PAIR, run("full", (0, 1, 2), selected=False, place=AVX512)]
    _, missed, mixed = lead(study(runs))
    assert "1 of 3 runs began at a warm start that never met" in missed
    assert "2 different ways" in mixed
    assert "CPU 1, 2 cores, AVX2; CPU 2, 2 cores, AVX512, ONEDNN_MAX_CPU_ISA=AVX2" in mixed


def test_what_holds_without_the_missed_rules_is_said_next() -> None:
    runs = [*PAIR, run("full", (1, 0, 2), selected=False)]
    every = [Held("1a", "the trap without curiosity", {0: True, 1: False})]
    met = [Held("1a", "the trap without curiosity", {0: True})]
    first, second, *_ = lead(replace(study(runs, every), held_where_met=met))
    assert first == "Of 2 base models: the trap without curiosity on 1."
    assert second == (
        "Without the seeds whose warm start missed its rule: of 1 base model: the trap "
        "without curiosity on 1."
    )


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=5))
def test_a_mark_says_how_many_runs_it_is_about(selected: list[bool | None]) -> None:
    words = missed_words([run("full", (0, 0, n), selected=s) for n, s in enumerate(selected)])
    count = selected.count(False)
    assert bool(words) is (count > 0)
    assert words in ("", "rule missed", f"rule missed in {count} of {len(selected)}")
    assert (words == "rule missed") is (count == len(selected))


def test_each_base_model_is_judged_by_its_own_runs() -> None:
    ended = [0.0, 0.01, 0.02, 0.4]
    ending = ArmRapr([0.2] * 4, ended, base_models=[4, 4, 7, 7])
    [found] = held({"no_curiosity": ending}, None, None, ClaimsConfig())
    assert (found.claim, found.by_base_model, found.count) == ("1a", {4: True, 7: False}, 1)


def test_what_operations_do_is_drawn_for_each_base_model_and_arm() -> None:
    rows = [
        {"rapr": 0.5, "cue_rapr": 0.5, "operation_hits": 0.8, "crop_read": 0.4, "entropy": 0.1}
        | {"cue_accuracy_with_operation": 0.3, "cue_accuracy_without_operation": 0.5}
        | {"operation_pays": -0.2}
    ] * 40
    runs = [run(arm, (base, 0, 2), curve=rows) for base in (0, 3) for arm in ("full", "paper")]
    groups = use_panels(study(runs))
    assert [name for name, _ in groups] == ["Base model 0", "Base model 3"]
    _, panels = groups[1]
    assert [panel.title.split(",")[0] for panel in panels] == [
        "The operation hits",
        "The crop is read",
        "Using it pays",
        "Entropy",
    ]
    assert "-20 points to -20 points" in panels[2].chart.svg
    assert "full: 80 % to 80 %" in panels[0].chart.svg
    # A study of older curves has none of it, and no lone chart of entropy.
    old = [run("full", (0, 0, 2), curve=[{"rapr": 0.5, "entropy": 0.1}] * 40)]
    assert use_panels(study(old)) == []


@pytest.mark.parametrize("used", [0.0, 0.004])
def test_arms_that_stopped_zooming_leave_a_gap(used: float) -> None:
    """Hits of one rollout in a hundred and less are no curve."""
    rows = [{"rapr": used, "cue_rapr": used, "operation_hits": 1.0, "entropy": 0.1}] * 40
    assert use_panels(study([run("full", (0, 0, 2), curve=rows)])) == []
