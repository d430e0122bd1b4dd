"""A letter beside words that speak for another option, against it, or take it back."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said

from pixel_core.rewards.graders.choice import choice

ANIMALS = ("dog", "cat", "bird", "fish")
CAT = ask("cat", choices=ANIMALS)


@pytest.mark.parametrize(
    "text",
    [
        *("(B) It is a dog", "B. It is a fish", "B. The fish is on the left", "B, a bird?"),
        *(
            "B. is wrong",
            "B. No, wait. It is the dog",
            "(B) is not what I see",
            "B. Actually no",
        ),
        *(
            "option B can't be right",
            "option B is clearly incorrect",
            "B. No, wait.",
            "B. Or D.",
        ),
        *("dog (B)", "cat (A)", "B.dog", "B. a dog"),
    ],
)
def test_a_contradiction_names_neither(text: str) -> None:
    for right in ANIMALS:
        query = ask(right, choices=ANIMALS)
        assert choice(query, box(text)) == choice(query, said(text)) == 0


@pytest.mark.parametrize(
    "text",
    [
        *(
            "B. It is a cat",
            "B. It is a cat, not a dog",
            "(B) is the only one with fur",
            "B. cat",
        ),
        *("(B) It purrs. It has no wings", "B, because it is certain", "B. The cat, actually"),
    ],
)
def test_words_for_it_and_words_that_say_nothing_leave_it_named(text: str) -> None:
    assert choice(CAT, box(text)) == choice(CAT, said(text)) == 1
    assert choice(ask("dog", choices=ANIMALS), box(text)) == 0


def test_another_options_text_counts_as_whole_words_outside_its_own() -> None:
    sides = ("left", "right")
    left, right = (ask(side, choices=sides) for side in sides)
    assert choice(left, box("A. It is on the right")) == 0
    assert choice(right, box("A. It is on the right")) == 0
    assert choice(left, box("A. It is brightly lit")) == 1
    reds = ("red", "dark red", "a")
    red, dark = (ask(text, choices=reds) for text in reds[:2])
    assert choice(red, box("A. It is red")) == choice(dark, box("B. It is dark red")) == 1
    assert choice(red, box("A. It is dark red")) == 0, "red only as a part of it"
    assert choice(red, box("A. It has a roof")) == 1, "an article is no option"


def test_an_option_that_denies_may_be_said_so() -> None:
    query = ask("No", choices=("Yes", "No", "Not visible"))
    for text in (
        "B. No, it stands",
        "B. No.",
        "The answer is B. No.",
        "The answer is B. No, no.",
    ):
        assert choice(query, box(text)) == choice(query, said(text)) == 1
    hidden = ask("Not visible", choices=query.choices)
    assert choice(hidden, said("The answer is not visible.")) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("The answer is B.\nActually no, it's C.", "bird"),
        ("The answer is B.\nNo, it's C.", "bird"),
        ("The answer is B. Wait, let me look again.", None),
        ("The answer is B.\nThe answer is not B.", None),
        ("The answer is B.\nC", None),
        ("I can't tell if the answer is B.", None),
        ("I don't think the answer is B.", None),
        ("If the answer is B, it has fur.", None),
        ("The answer is B.\nActually, the answer is C.", "bird"),
        ("Answer: B\nAnswer: C", "bird"),
        ("The answer is B.\nWait, no.\nC", "bird"),
        ("I am not sure if the answer is B. The answer is C.", "bird"),
        ("The answer is C.\nThe answer is plain to see.", "bird"),
        ("Wait, it has wings. The answer is C.", "bird"),
        ("The answer is C.\n\nC", "bird"),
    ],
)
def test_the_last_word_counts(text: str, named: str | None) -> None:
    for option in ANIMALS:
        assert choice(ask(option, choices=ANIMALS), said(text)) == (option == named)
