"""Whole numbers in digits and words; ranges, guesses and two numbers are refused."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.rewards.graders.counting import counting
from pixel_core.rewards.graders.whole_numbers import whole_number

UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen
"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("02", 2),
        ("2.0", 2),
        ("1,000", 1000),
        ("two", 2),
        ("Two.", 2),
        ("twenty-one", 21),
        ("Twenty one dogs", 21),
        ("zero", 0),
        ("none", 0),
        ("no", 0),
        ("No dogs.", 0),
        ("2 dogs", 2),
        ("There are two dogs around the table", 2),
        ("**12**", 12),
        ("$3$", 3),
        ("３", 3),
        ("one two-wheeler", None),
        ("2-3", None),
        ("2–3", None),
        ("2/3", None),
        ("2 or 3", None),
        ("2 to 3", None),
        ("two or so", None),
        ("about 2", None),
        ("at least two", None),
        ("2 at most", None),
        ("more than 2", None),
        ("2+", None),
        ("~2", None),
        ("-2", None),
        ("2.5", None),
        ("1.000.000", None),
        ("1,00", None),
        ("2nd", None),
        ("2x", None),
        ("2 dogs and 3 cats", None),
        ("No, 2 dogs", None),
        ("two dozen", None),
        ("two hundred", 200),
        ("a couple", None),
        ("not 2", None),
        ("many", None),
        ("dogs", None),
        ("", None),
        ("½", None),
        ("1" * 300, None),
        ("2 " + "dog " * 20, None),
    ],
)
def test_the_number_of_a_text(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@settings(deadline=None)
@given(st.integers(0, 99))
def test_every_number_below_a_hundred_in_words(number: int) -> None:
    word = UNITS.split()[number] if number < 20 else TENS.split()[number // 10 - 2]
    if number >= 20 and number % 10:
        word += "-" + UNITS.split()[number % 10]
    for text in (word, word.title(), word.replace("-", " "), f"{word} dogs", str(number)):
        assert whole_number(text) == number


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_equal_if_and_only_if_the_numbers_are(a: int, b: int) -> None:
    for text in (str(a), f"{a:,}", f"{a} dogs"):
        assert counting(ask(str(b)), box(text)) == (a == b)
    assert counting(ask(str(b)), box(f"{a} or {b}")) == 0


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{2}",
        r"\boxed{\text{two dogs}}",
        r"\boxed{The answer is 2.}",
        "The answer is 2.",
        "The answer is 2 dogs. Final answer: 2.",
        "Answer: two dogs",
        "I count them.\n2",
        "There are 2 dogs.",
        "two",
        "I saw 3 cats. The answer is 2. All of them sleep.",
    ],
)
def test_where_the_number_is_read(text: str) -> None:
    assert counting(ask("2"), said(text)) == 1
    assert counting(ask("3"), said(text)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "I see 3 cats and 2 dogs",
        "The answer is 2. The answer is 3.",
        "",
        "dogs",
        r"\boxed{2",
        r"2 \boxed{}",
        r"2 \boxed{many}",
    ],
)
def test_where_none_is_read(text: str) -> None:
    assert counting(ask("2", "3"), said(text)) == 0


def test_a_reference_may_be_a_word_and_one_of_several() -> None:
    assert counting(ask("two"), box("2")) == 1
    assert counting(ask("1", "2"), box("2")) == 1
    assert counting(ask("some"), box("some")) == 0
