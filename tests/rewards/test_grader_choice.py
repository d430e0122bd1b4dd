"""Options by letter, by text, by both; from the box, and conservatively from plain words."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.records import Query, StopReason
from pixel_core.rewards.graders.choice import choice

COLOURS = ("red", "blue", "green", "a dark red")
BLUE = ask("blue", choices=COLOURS)


@pytest.mark.parametrize(
    "text",
    [
        *("B", "b", "(B)", "B.", "[b]", "blue", "Blue.", "B. blue", "(B) blue", "B: Blue"),
        *("option B", "The answer is B", "Answer: (B) blue.", "B, because it shines"),
        *("B. it is light blue", "(b) like the sky", "B, not (a)", "B because (A) is darker"),
        *(r"\text{B}", r"\textbf{(B) blue}", "$B$"),
    ],
)
def test_a_box_names_the_option(text: str) -> None:
    assert choice(BLUE, box(text)) == 1
    assert choice(ask("B", choices=COLOURS), box(text)) == 1, "the reference may be the letter"


@pytest.mark.parametrize(
    "text",
    [
        *("", "A", "E", "red", "bluish", "B. red", "A. blue", "2", "not B"),
        *("A or B", "B or A", "A, B", "AB", "B A", "B and C", "(A)(B)"),
        *("answer: A. Answer: B", "B, a dark one", "(b), (c)", "B, or c", "B, c"),
        *("B. red, it shines", "blue, I think", "B red"),
    ],
)
def test_a_box_that_names_no_option_or_two_or_another(text: str) -> None:
    assert choice(BLUE, box(text)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "The answer is B",
        "So the answer is (B).",
        "The correct answer is: **B. blue**",
        "Answer: blue.",
        "The final answer would be option B.",
        "The correct option is B, since the sign shines like that.",
        "The answer is B because nothing else fits",
        "The answer is B, as A would be darker",
        "The answer is clear. The answer is B.",
        "The answer is A. Wait, no.\nThe answer is B.",
        "Answer: B\n\nTo be sure, the answer is (B).",
        "B",
        "(b)",
        "blue",
        "I see a sign, it is not (A).\n\n**B**",
        "The sign glows.\nB. blue",
    ],
)
def test_plain_words_name_the_option(text: str) -> None:
    assert choice(BLUE, said(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It looks blue to me, I think.",
        "A blue sign.",
        "The answer is A or B",
        "The answer is B or maybe C.",
        "B. The sign is not red\nC. The sign is green, too",
        "The answer is B. red",
        "The answer is (B), red like the roof",
        "The answer is A blue sign",
        "The answer is not B",
        "Options: A B",
        "B\nor else\nA",
        "\\boxed{B",
        "the answer is B, \\boxed{never closed",
    ],
)
def test_plain_words_that_leave_it_open(text: str) -> None:
    assert choice(BLUE, said(text)) == 0


def test_the_box_decides_against_the_words() -> None:
    assert choice(BLUE, said(r"The answer is B. \boxed{A}")) == 0
    assert choice(BLUE, said(r"The answer is B. \boxed{}")) == 0


@pytest.mark.parametrize(
    "stop", [s for s in StopReason if s not in (StopReason.ANSWERED, StopReason.NO_ANSWER)]
)
def test_an_episode_that_did_not_end_by_itself_claims_nothing(stop: StopReason) -> None:
    assert choice(BLUE, said("The answer is B", stop=stop)) == 0


def test_options_that_are_letters_are_read_as_texts_first() -> None:
    glyphs = ask("A", choices=("B", "A", "C"))
    assert choice(glyphs, box("A")) == 1
    assert choice(glyphs, box("(A)")) == 1
    assert choice(glyphs, box("B. A")) == 1
    assert choice(glyphs, box("B")) == 0, "the first option's text, not the second's letter"
    assert choice(glyphs, said("The answer is A.")) == 1
    assert choice(ask("X", choices=("Y", "X")), box("B")) == 1, "no option reads B"


def test_options_that_are_numbers() -> None:
    counts = ask("2", choices=("2", "1", "20"))
    assert [choice(counts, box(text)) for text in ("2", "2.0", "A", "A. 2")] == [1, 1, 1, 1]
    assert [choice(counts, box(text)) for text in ("1", "20", "B", "A. 1", "12")] == [0] * 5


def test_options_that_are_sentences_may_be_named_in_fewer_words() -> None:
    query = ask("B", choices=("The dog is on the left.", "The dog is on the right.", "No dog."))
    for text in ("B. right", "B. The dog is right of it", "(B) on the right", "B. It's there"):
        assert choice(query, box(text)) == 1, text
        assert choice(query, said(text)) == 1, text
    for text in (
        "B. left",
        "B. on the left",
        "(B) no dog",
        "right",
        "A. right",
        "B. left, (A)",
    ):
        assert choice(query, box(text)) == 0, text


def test_options_that_read_alike_are_one() -> None:
    twice = ask("red", choices=("red", "blue", "red"))
    assert [choice(twice, box(text)) for text in ("A", "C", "red", "C. red")] == [1] * 4
    assert choice(twice, box("B")) == 0
    by_letter = ask("C", choices=twice.choices)
    assert [choice(by_letter, box(text)) for text in ("A", "C", "red", "blue")] == [0, 1, 1, 0]


def test_without_options_it_is_the_strict_rule() -> None:
    assert choice(ask("7"), box("7.0")) == 1
    assert choice(ask("7"), said("The answer is 7")) == 0


#: Texts that no letters of options spell: "A, B" would be the option "ab".
options = st.lists(
    st.text("stuvwxyz", min_size=2, max_size=6), min_size=2, max_size=6, unique=True
)
forms = st.sampled_from(["{}", "({})", "{}.", "option {}", "The answer is {}", "[{}]", " {} "])


def _asked(texts: list[str], right: int) -> Query:
    return ask(texts[right], choices=tuple(texts))


@settings(max_examples=60, deadline=None)
@given(options, forms, st.data())
def test_a_letter_is_right_if_and_only_if_it_is_the_right_one(texts, form, data) -> None:
    right, named = (data.draw(st.integers(0, len(texts) - 1)) for _ in range(2))
    letter = "ABCDEF"[named]
    for rollout in (box(form.format(letter)), said(form.format(letter))):
        assert choice(_asked(texts, right), rollout) == (named == right)


@settings(max_examples=40, deadline=None)
@given(options, st.data())
def test_two_letters_are_never_right(texts, data) -> None:
    first, second = data.draw(st.permutations(range(len(texts))).map(lambda places: places[:2]))
    between = data.draw(
        st.sampled_from([" or ", ", ", " and ", "/", " ", ") (", ", or ", ". ", ": "])
    )
    letters = data.draw(st.sampled_from(["ABCDEF", "abcdef"]))
    text = "ABCDEF"[first] + between + letters[second]
    for right in (first, second):
        for said_as in (text, f"The answer is {text}", f"The answer is ({text})"):
            assert choice(_asked(texts, right), box(said_as)) == 0
            assert choice(_asked(texts, right), said(said_as)) == 0
