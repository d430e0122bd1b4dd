"""Counts in few words ("It's 3.", "n = 3", "1 + 2 = 3"), totals of parts, counts taken back."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.rewards.graders.counting import counting
from pixel_core.rewards.graders.grader import ReadingRule

#: Of 3.
COUNTS = [
    *(
        "It is 3",
        "It's 3.",
        "It's three.",
        "So it is 3 dogs.",
        "That's 3 dogs.",
        "This is only 3.",
    ),
    *(
        "So 3",
        "That makes 3.",
        "This makes three dogs.",
        "My count is 3.",
        "My total count is 3",
    ),
    *("We get 3.", "Counting them, we get 3.", "Wait, it's 3.", "No, it's 3."),
    *("n = 3", "x=3", "= 3", "dogs = 3", "Dogs: 3", "Small dogs: three", "People: 3"),
    *("1 + 2 = 3", "1+2=3 dogs", "So 1 + 1 + 1 = 3.", "The answer is 1 + 2 = 3.", "3 x 1 = 3"),
    "Two on the left. One on the right. That makes 3.",
    "There is 1 dog on the left and 2 on the right, so there are 3 dogs in total.",
    "One dog on the left and two on the right, making a total of 3.",
    "2 men and 1 woman, for a total of 3 people.",
    "One on the left, two on the right: 3 in total.",
    "One is black and two are white. So there are 3.",
    "There are 2 dogs. Wait, there are 3 dogs.",
    "There are 2 dogs. Actually, there are 3 in total.",
    "There are 2 dogs. No, wait, it's 3.",
    "The answer is 2. Actually, it's 3.",
    "If you look closely, the answer is 3.",
    "3 feet",
    "3 minute hands",
]
NONE_THERE = [
    "I don't see any dogs.",
    "We do not see any.",
    "I don't count any dogs",
    "It's none.",
]
NO_COUNTS = [
    *("3 km", "3 in", "3 inches", "3 m tall", "3 %", "3 kilograms", "5 pounds", "It is 3 cm."),
    *("It is 3 pm.", "It's 3 o'clock.", "It's 3 years old.", "It is 2 feet tall.", "At 3 am"),
    *("This is 3 blocks away.", "That's 2 of them.", "It is one of the 3.", "It could be 3."),
    *("Time: 3", "Region: 2", "Points: 3", "Glass: 2", "First: 2", "Dogs: 3, cats: 4"),
    *("2 + 2 = 5", "x = 3 or 4", "= 3.5", "1 + 2 = 3.5", "1 + 2 = 3 + 4", "3 = 3"),
    *(
        "The answer is 3?",
        "The answer is 3, right?",
        "My count is 3, maybe.",
        "There are 3, perhaps.",
    ),
    "If there are 3 dogs, the answer is 3?",
    "If there are 3 dogs, the answer is 3.",
    "Suppose that the dog is hidden, then the answer is 3.",
    "The clock is on the wall. It is 3.",
    "There is 1 dog on the left and 2 on the right, so there are 4 dogs.",
    "One dog on the left, maybe two on the right, so there are 3 dogs.",
    "There are 2 tables and each has 4 chairs, so there are 6.",
    "There are 2 dogs. Wait, there is 1 behind the tree.",
    "There are 2 dogs. Wait, there is 1 cat.",
    "There are 2 dogs. Wait, there is one more dog.",
    "There are 2 dogs. Actually, one is a cat.",
    "There are 3 dogs. Wait, 2 of them are cats.",
    "There are 2 dogs. Wait, is it 3?",
    "There are 2 dogs. Wait, maybe 3.",
    "I don't see any clear dogs.",
    "I don't see any detail.",
    "I can't see any dogs.",
]


def counts(text: str) -> list[int]:
    return [n for n in range(20) if counting(ask(str(n)), said(text)) == 1]


@pytest.mark.parametrize("text", COUNTS)
def test_few_words_are_a_count(text: str) -> None:
    assert counts(text) == [3]


@pytest.mark.parametrize("text", NONE_THERE)
def test_that_there_are_none_is_a_count(text: str) -> None:
    assert counts(text) == [0]


@pytest.mark.parametrize("text", NO_COUNTS)
def test_measures_questions_and_half_thoughts_are_none(text: str) -> None:
    assert counts(text) == []


@pytest.mark.parametrize("text", ["3 km", "3 m", "3 kg", "3 %"])
def test_a_measure_in_a_box_is_no_count(text: str) -> None:
    assert counting(ask("3"), box(text)) == 0


@pytest.mark.parametrize(
    "text", ["It's 3.", "There are 2 dogs. Wait, it's 3.", "My count is 3."]
)
def test_words_around_a_count_are_a_sentence(text: str) -> None:
    assert counting(ask("3"), said(text)).rule is ReadingRule.SENTENCE


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 40))
def test_a_sum_is_read_only_where_it_is_right(parts: list[int], total: int) -> None:
    told = " + ".join(map(str, parts))
    assert counting(ask(str(sum(parts))), said(f"{told} = {sum(parts)}")) == 1
    assert counting(ask(str(total)), said(f"{told} = {total}")) == (total == sum(parts))
    both = f"There are {parts[0]} dogs on the left and {parts[1]} on the right, so there are"
    right = parts[0] + parts[1]
    assert counting(ask(str(total)), said(f"{both} {total}.")) == (total == right)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(2, 19),
    st.sampled_from(["km", "cm", "meters", "miles", "kg", "grams", "liters", "°", "degrees"]),
    st.sampled_from(["", "It is ", "There are ", "The answer is ", "I count "]),
)
def test_a_measure_is_never_a_count(number: int, unit: str, opening: str) -> None:
    assert counts(f"{opening}{number} {unit}.") == []
