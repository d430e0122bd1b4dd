"""How a limit is divided over a benchmark's kinds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pixel_core.evaluation.benchmarks.checking import shares
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS

KINDS = st.dictionaries(st.text(max_size=3), st.integers(0, 500), max_size=8)


def test_each_task_of_mvbench_is_asked() -> None:
    kinds = BENCHMARKS["mvbench"].layouts["own"].kinds
    assert set(shares(100, kinds).values()) == {5}
    assert len(shares(100, kinds)) == 20


def test_a_remainder_goes_to_the_largest_and_then_to_the_first() -> None:
    assert shares(20, {"attributes": 115, "position": 76}) == {"attributes": 12, "position": 8}
    assert shares(3, {"single": 400, "cross": 400}) == {"single": 2, "cross": 1}
    assert shares(1, {"a": 1, "b": 1, "c": 1}) == {"a": 1, "b": 0, "c": 0}


def test_where_no_kinds_are_published_nothing_is_divided() -> None:
    assert shares(5, {}) == {}
    assert shares(5, {"empty": 0}) == {"empty": 0}


@given(st.integers(0, 2000), KINDS)
def test_shares_come_to_the_limit_and_none_exceeds_its_kind(
    limit: int, kinds: dict[str, int]
) -> None:
    found = shares(limit, kinds)
    assert sum(found.values()) == min(limit, sum(kinds.values()))
    for kind, count in kinds.items():
        assert 0 <= found[kind] <= count
        if sum(kinds.values()):
            exact = min(limit, sum(kinds.values())) * count / sum(kinds.values())
            assert abs(found[kind] - exact) < 1
