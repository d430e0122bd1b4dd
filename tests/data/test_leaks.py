"""What counts as giving an answer away."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.data.leaks import leaks

WORDS = st.lists(
    st.sampled_from(["harbour", "lantern", "wooden", "yellow", "bridge", "seven", "42"]),
    min_size=1,
    max_size=3,
).map(" ".join)
AROUND = st.lists(
    st.sampled_from(["people", "walk", "past", "some", "tall", "buildings", "305"]), max_size=6
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There are seven cards on the table.", "7"),
        ("There are 7 cards.", "seven"),
        ("Twenty-one birds sit on a wire.", "21"),
        ("About 1,000 people", "1000"),
        ("It weighs 7.0 kg", "7"),
        ("one card lies there", "1"),
        ("A light blue car is parked.", "Light-blue"),
        ("A car, lightblue, is parked.", "light blue"),
        ("Two DOGS are running.", "a dog"),
        ("It is the king's crown.", "king"),
        ("Caf\u00e9 Royal", "cafe\u0301 royal"),
        ("图中有一辆红色的车", "红色"),
        ("Gate B is open.", "b"),
        ("It shows the letter 'a'.", "A"),
        ("The answer is no.", "no"),
        ("No, it is not there.", "no"),
        ('The sign says "left" in white.', "left"),
        ("It reads left.", "left"),
        ("A red umbrella leans there.", "red umbrella"),
    ],
)
def test_given_away(text: str, answer: str) -> None:
    assert leaks(text, [answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There are seventeen cards, or 17.", "7"),
        ("The time is 7:30.", "7"),
        ("1 0 and then 7", "10"),
        ("the 3rd floor", "3"),
        ("One of the cards lies apart from this one.", "1"),
        ("Twenty cards", "21"),
        ("A red car and an umbrella", "red umbrella"),
        ("The reddish carpet", "red"),
        ("A street with a sign, and I look at it.", "a"),
        ("A street with a sign, and I look at it.", "I"),
        ("There is no sign.", "no"),
        ("The sign on the left is small.", "left"),
        ("the category of b", "c"),
        ("What does it say?", "?"),
        ("", "7"),
    ],
)
def test_not_given_away(text: str, answer: str) -> None:
    assert not leaks(text, [answer])


@settings(max_examples=40)
@given(AROUND, WORDS, AROUND)
def test_an_answer_among_other_words_is_found(before: str, answer: str, after: str) -> None:
    assert leaks(f"{before} {answer.upper()}, {after}", ["nowhere", answer])


@settings(max_examples=40)
@given(AROUND, WORDS)
def test_other_words_give_nothing_away(text: str, answer: str) -> None:
    assert not leaks(text, [answer])


@settings(max_examples=40)
@given(st.text(), st.text())
def test_any_text_is_judged_without_failing(text: str, answer: str) -> None:
    assert leaks(text, [answer]) in (True, False)
    assert not leaks(text, [])


@settings(max_examples=40)
@given(st.integers(2, 99))
def test_a_number_in_words_is_its_value(number: int) -> None:
    ones = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    teens = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"]
    teens += ["seventeen", "eighteen", "nineteen"]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if number < 20:
        word = ["zero", *ones, *teens][number]
    else:
        word = tens[number // 10 - 2] + (f"-{ones[number % 10 - 1]}" if number % 10 else "")
    assert leaks(f"I count {word} of them.", [str(number)])
    assert leaks(f"I count {number} of them.", [word])
    assert not leaks(f"I count {word} of them.", [str(number + 100)])
