"""Cells and the graph of their stages: what is shared, what is refused, what runs next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.study.graph import Graph, build_graph
from pixel_core.evaluation.study.matrix import build_matrix
from pixel_core.evaluation.study.schedule import Schedule
from pixel_core.workflow.store.identity import canonical
from tasks.pace import StudyPace

ARMS = (
    "study.arms.full={}",
    'study.arms.no_curiosity={overrides=["rl.reward.preset=none"]}',
    'study.arms.no_correction={overrides=["synthesize.kinds.recrop_once=0"]}',
)
SEEDS = ("study.warm_start_seeds=[0, 1]", "study.rl_seeds=[3, 4]")


def graph(*overrides: str, only: Sequence[str] = ()) -> Graph:
    return build_graph(build_matrix("smoke", (*ARMS, *SEEDS, *overrides), only))


SMALL = graph("study.rl_seeds=[0]")


def labels(found: Graph, stage: str) -> list[str]:
    return [node.label for node in found.nodes.values() if node.stage.name == stage]


def test_each_cell_is_the_pipeline_under_its_arm_and_its_seeds() -> None:
    matrix = build_matrix("smoke", (*ARMS, *SEEDS, "rl.steps=7"))
    assert [str(cell) for cell in matrix.cells][:4] == [
        "full, base model 0, warm start 0, seed 3",
        "no_curiosity, base model 0, warm start 0, seed 3",
        "no_correction, base model 0, warm start 0, seed 3",
        "full, base model 0, warm start 0, seed 4",
    ]
    assert len(matrix.cells) == 12
    last = matrix.cells[-2].config
    assert last.rl.reward.preset == "none"
    assert (last.base_model.seed, last.synthesize.seed, last.sft.seed) == (0, 1, 1)
    assert (last.rl.seed, last.rl.steps, last.ingest.drawn.seed) == (4, 7, 0)


def test_what_cells_share_is_there_once() -> None:
    found = graph()
    count = {
        stage: len(labels(found, stage)) for stage in ("ingest", "base_model", "sft", "rl")
    }
    # Arms that differ in their reward alone share a warm start; other data makes another.
    assert count == {"ingest": 1, "base_model": 1, "sft": 4, "rl": 12}
    assert labels(found, "sft") == [
        "sft, warm start 0",
        "sft no_correction, warm start 0",
        "sft, warm start 1",
        "sft no_correction, warm start 1",
    ]
    assert len({node.label for node in found.nodes.values()}) == len(found.nodes)
    assert "evaluate" not in {node.stage.name for node in found.nodes.values()}
    before: set[str] = set()
    for node in found.nodes.values():
        assert before.issuperset(node.needs)
        before.add(node.id)


def test_base_models_are_outermost_and_tell_their_warm_starts_apart() -> None:
    found = graph("study.base_model_seeds=[5, 6]", only=["full"])
    assert labels(found, "base_model") == [
        "base_model, base model 5",
        "base_model, base model 6",
    ]
    assert labels(found, "sft")[1:3] == [
        "sft, base model 5, warm start 1",
        "sft, base model 6, warm start 0",
    ]
    assert len(labels(found, "rl")) == 8
    matrix = build_matrix("smoke", (*ARMS, *SEEDS, "study.base_model_seeds=[5, 6]"))
    assert [cell.seeds for cell in matrix.cells[:: len(ARMS)]] == [
        (base, warm_start, rl) for base in (5, 6) for warm_start in (0, 1) for rl in (3, 4)
    ]
    assert matrix.cells[-1].config.base_model.seed == 6


def test_only_some_arms() -> None:
    matrix = build_matrix("smoke", (*ARMS, *SEEDS), ["full", "no_curiosity"])
    assert {cell.arm for cell in matrix.cells} == {"full", "no_curiosity"}
    assert set(matrix.config.study.arms) == {"full", "no_curiosity"}


QUICK = 'study.quick={arms=["no_curiosity", "full"]}'


def test_the_small_form_takes_the_first_seeds_and_shares_its_cells() -> None:
    seeds = ("study.base_model_seeds=[5, 6]", QUICK)
    small = build_matrix("smoke", (*ARMS, *SEEDS, *seeds), quick=True)
    assert [str(cell) for cell in small.cells] == [
        "full, base model 5, warm start 0, seed 3",
        "no_curiosity, base model 5, warm start 0, seed 3",
    ]
    assert small.config.study.rl_seeds == (3,)
    whole = build_graph(build_matrix("smoke", (*ARMS, *SEEDS, *seeds)))
    assert set(build_graph(small).nodes) <= set(whole.nodes)
    more = 'study.quick={arms=["full"], base_models=9, warm_starts=2, rl_runs=1}'
    found = build_matrix("smoke", (*ARMS, *SEEDS, *seeds, more), quick=True)
    assert [cell.seeds for cell in found.cells] == [
        (base, warm_start, 3) for base in (5, 6) for warm_start in (0, 1)
    ]
    # What it takes shapes nothing of the whole study.
    plain = build_matrix("smoke", (*ARMS, *SEEDS)).config.study
    with_quick = build_matrix("smoke", (*ARMS, *SEEDS, QUICK)).config.study
    assert canonical(plain, "study") == canonical(with_quick, "study")


@pytest.mark.parametrize(
    ("overrides", "only", "match"),
    [
        ((), (), r"'smoke': it has no small form: give it a table \[study.quick\]"),
        (('study.quick={arms=["odd"]}',), (), "quick.arms names odd; the arms are full, no_c"),
        ((QUICK,), ("no_correction",), "arms of the small study are full, no_curiosity"),
        (("study.quick={arms=[]}",), (), r"study\.quick\.arms"),
        (('study.quick={arms=["full"], rl_runs=0}',), (), r"study\.quick\.rl_runs = 0"),
    ],
)
def test_a_small_form_that_cannot_be_is_refused(overrides, only, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        build_matrix("smoke", (*ARMS, *SEEDS, *overrides), only, quick=True)


def test_the_learning_traps_small_form_shows_trap_and_rescue() -> None:
    small = build_matrix("learning_trap", quick=True)
    assert [cell.arm for cell in small.cells] == ["full", "no_curiosity"]
    assert len({cell.seeds for cell in small.cells}) == 1


@pytest.mark.parametrize(
    ("overrides", "only", "match"),
    [
        ([], ["ful"], r"no arm 'ful'; the arms are full, no_curiosity"),
        (['study.arms.odd={overrides=["rl.stepz=3"]}'], [], r"(?s)arm 'odd': .*rl\.stepz"),
        (
            ['study.arms.odd={overrides=["rl.steps=-3"]}'],
            [],
            r"(?s)'odd': .*rl\.steps = -3",
        ),
        (['study.arms.odd={overrides=["rl.seed=9"]}'], [], "the study's seeds set"),
        (['study.arms.odd={overrides=["ingest.drawn.train=9"]}'], [], "the same questions"),
        (["study.rl_seeds=[]"], [], r"study\.rl_seeds"),
        (["study.rl_seeds=[1, 1]"], [], "names a seed twice"),
        (["study.rl_fields=['rl.sede']"], [], r"(?s)study\.rl_fields: .*rl\.sede"),
        (["study.arms.Odd={}"], [], "lowercase"),
        (["study.base_model_seeds=[1, 1]"], [], "names a seed twice"),
        (
            ["study.base_model_seeds=[1, 2]", "study.base_model_fields=[]"],
            [],
            r"\[1, 2\] set nothing",
        ),
        (["study.claims.trapped=0.5"], [], r"must be below in_use"),
    ],
)
def test_a_study_that_cannot_work_is_refused(
    overrides: list[str], only: list[str], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        build_matrix("smoke", (*ARMS, *SEEDS, *overrides), only)


def test_a_profile_without_arms_says_where_they_go() -> None:
    with pytest.raises(ConfigError, match=r"no arms to compare; give it \[study\.arms"):
        build_matrix("smoke")


@pytest.mark.parametrize(
    "same",
    [
        "study.arms.again={}",
        'study.arms.again={overrides=["rl.checkpoint_every=7"]}',  # shapes nothing
        "study.rl_fields=['rl.checkpoint_every']",
    ],
)
def test_two_cells_that_are_one_run_are_refused(same: str) -> None:
    with pytest.raises(ConfigError, match="one and the same run"):
        graph(same)


def test_a_missing_manifest_is_met_before_anything_starts(tmp_path: Path) -> None:
    place = f"ingest.manifest.path={tmp_path / 'gone.jsonl'}"
    with pytest.raises(DataError, match=r"gone\.jsonl"):
        graph("ingest.sources=manifest", place)


def run_through(found: Graph, cores: int, fails: set[str], order: st.DataObject) -> list[str]:
    """Let nodes end in any order; returns the ids as they ended."""
    schedule = Schedule(found, cores)
    running: dict[str, int] = {}
    ended: list[str] = []
    while not schedule.finished:
        for node, processes in schedule.start():
            assert set(node.needs) <= set(ended) - fails, "started before what it needs"
            assert processes >= 1
            running[node.id] = processes
        assert sum(running.values()) <= cores
        assert running, "nothing runs, though something is left"
        chosen = order.draw(st.sampled_from(sorted(running)))
        del running[chosen]
        ended.append(chosen)
        schedule.ended(found.nodes[chosen], failed=chosen in fails)
    assert schedule.lost | set(ended) == set(found.nodes)
    return ended


@given(st.data(), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_every_node_runs_once_after_what_it_needs(order: st.DataObject, cores: int) -> None:
    found = SMALL
    ended = run_through(found, cores, set(), order)
    assert sorted(ended) == sorted(found.nodes)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_a_failure_takes_only_what_stands_on_it(order: st.DataObject) -> None:
    found = SMALL
    failing = order.draw(st.sampled_from(sorted(found.nodes)))
    ended = run_through(found, 2, {failing}, order)
    reached = {failing}
    for node in found.nodes.values():
        if reached.intersection(node.needs):
            reached.add(node.id)
    assert set(ended) == (set(found.nodes) - reached) | {failing}


def test_no_core_is_idle_while_one_node_is_all_there_is() -> None:
    schedule = Schedule(SMALL, 4)
    first = schedule.start()
    assert [node.stage.name for node, _ in first] == ["ingest", "base_model"]
    assert sum(processes for _, processes in first) == 4
    assert schedule.start() == []


def test_time_left_comes_from_stages_of_the_same_kind() -> None:
    now = [0.0]
    pace = StudyPace(SMALL, 2, lambda: now[0])
    nodes = list(SMALL.nodes.values())
    assert pace.seconds_left() is None
    for node in nodes[:-2]:
        pace.started(node, 1)
        now[0] += 10.0
        pace.ended(node, built=True)
    # Two stages of 10 s on two cores.
    assert pace.seconds_left() == pytest.approx(10.0)
    pace.started(nodes[-2], 1)
    pace.update(nodes[-2], 0, 10)
    now[0] += 2.0
    pace.update(nodes[-2], 1, 10)  # slower than its like: 18 s more
    # The other is of another arm: what its own arm took before is asked first.
    assert pace.seconds_left() == pytest.approx((18.0 + 10.0) / 2)
    pace.lost({nodes[-1].id})
    assert pace.seconds_left() == pytest.approx(9.0)
