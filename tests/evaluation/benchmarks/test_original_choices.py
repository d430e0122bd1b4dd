"""Options out of a question's text: taken where they are clear, left where they aren't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.evaluation.benchmarks.original import taken_apart

CLEAR = {
    "What colour?\n(A) red\n(B) blue": ("What colour?", "red", "blue"),
    "What colour?\nA. red\nB. blue\nC. red and blue": (
        "What colour?",
        "red",
        "blue",
        "red and blue",
    ),
    "What colour?\nA) red\n\nB) blue\n": ("What colour?", "red", "blue"),
    "Question: What colour?\nOptions:\n(A) red\n(B) blue\nOnly give the best option.": (
        "What colour?",
        "red",
        "blue",
    ),
    "Look.\nWhat colour?\nChoices: (A) red (B) blue": ("Look.\nWhat colour?", "red", "blue"),
    "What colour? (A) red (B) blue": ("What colour?", "red", "blue"),
    "How many?\n(A) 1\n(B) 2\nPlease answer with a letter.": ("How many?", "1", "2"),
}

UNCLEAR = [
    "What colour is it?",
    "Does plan (A) or (B) come first?",
    "What colour?\n(A) red\n(C) blue",
    "What colour?\n(B) red\n(C) blue",
    "What colour?\n(A) red",
    "What colour?\n(A) red\n(B) Red",
    "What colour?\n(A) red\n(B) blue\nThe picture was taken at night.",
    "(A) red\n(B) blue",
    "What colour? (A) red (B) blue (A) green",
    "A. Milne wrote it.\nWho drew it?\nA. Shepard\nB. Tenniel",
    "",
]


@pytest.mark.parametrize("text", CLEAR)
def test_clear_options(text: str) -> None:
    question, *options = CLEAR[text]
    assert taken_apart(text) == (question, tuple(options))


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_not_clear_stays_as_it_is_written(text: str) -> None:
    assert taken_apart(text) == (text, ())


words = st.text(st.characters(categories=("Ll", "Nd", "Zs")), min_size=1).filter(str.strip)


@given(
    words, st.lists(words, min_size=2, max_size=6), st.sampled_from(["({}) ", "{}. ", "{}: "])
)
def test_what_was_put_together_is_taken_apart(
    question: str, options: list[str], label: str
) -> None:
    options = [f"{option.strip()} {number}" for number, option in enumerate(options)]
    lines = [label.format("ABCDEF"[place]) + text for place, text in enumerate(options)]
    text = "\n".join([f"{question.strip()}?", *lines])
    assert taken_apart(text) == (f"{question.strip()}?", tuple(options))


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    question, options = taken_apart(text)
    assert options or question == text
    assert len(options) != 1


@pytest.mark.parametrize(
    "text", ["(A) " * 1000, "A. x\n" * 1000, "(A)\n(B)\n" * 400, " " * 4000]
)
def test_a_long_text_is_no_burden(text: str) -> None:
    assert taken_apart(text) == (text, ())
