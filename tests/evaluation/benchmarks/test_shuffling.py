"""The order in which options are put."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.evaluation.benchmarks.prepare import order_of

OPTIONS = st.lists(st.text(max_size=20), min_size=1, max_size=26).map(tuple)


@given(OPTIONS, st.integers(), st.text())
def test_an_order_is_a_permutation_and_always_the_same(
    choices: tuple[str, ...], seed: int, id: str
) -> None:
    order, _ = order_of(choices, seed, id)
    assert sorted(order) == list(range(len(choices)))
    assert order_of(choices, seed, id)[0] == order


def test_every_place_is_as_likely() -> None:
    first = Counter(order_of(("a", "b", "c", "d"), 0, f"q{n}")[0].index(0) for n in range(4000))
    assert all(900 < first[place] < 1100 for place in range(4)), first


@pytest.mark.parametrize(
    "last",
    [
        "None of the above",
        "all of the above.",
        "Both of the above",
        "None of above",
        "all the above",
        "The above options are wrong",
    ],
)
def test_an_option_about_those_above_it_stays_last(last: str) -> None:
    orders = {order_of(("red", "green", "blue", last), 0, f"q{n}")[0] for n in range(200)}
    assert len(orders) == 6
    assert {order[3] for order in orders} == {3}


@pytest.mark.parametrize(
    "last", ["A and B", "Both A and C", "(A) or (B)", "A, B and C", "neither B nor D"]
)
def test_a_question_whose_options_name_letters_stays_as_it_is(last: str) -> None:
    for number in range(50):
        assert order_of(("x", "y", last), 0, f"q{number}") == ((0, 1, 2), False)


@pytest.mark.parametrize(
    "choices",
    [
        ("The sky above the boat", "The sea"),
        ("a and b are one", "Grade A"),
        ("Above the table", "Below it"),
        ("DNA or RNA", "Alpha and Beta"),
    ],
)
def test_other_words_do_not_hold_an_order(choices: tuple[str, ...]) -> None:
    assert {order_of(choices, 0, f"q{n}")[0] for n in range(40)} == {(0, 1), (1, 0)}
