"""ANLS by its definition, and the edit distance against the plain table."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.records import StopReason
from pixel_core.rewards.graders.anls import anls, edit_distance, similarity


def table_distance(a: str, b: str) -> int:
    """Wagner and Fischer's table, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


few_letters = st.text("abcß ", max_size=90)


@settings(deadline=None)
@given(few_letters | st.text(max_size=30), few_letters | st.text(max_size=30))
def test_the_distance_is_the_tables(a: str, b: str) -> None:
    assert edit_distance(a, b) == table_distance(a, b)


@settings(deadline=None)
@given(few_letters, few_letters, few_letters)
def test_it_is_a_distance(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("Share Contacts", "share contacts", 1),
        ("  share\n contacts ", "share contacts", 1),
        ("share contact", "share contacts", 1 - 1 / 14),
        ("42%", "42", 1 - 1 / 3),
        ("10", "11", 0.5),  # at the threshold, as the official script has it
        ("abcde", "abxyz", 0),  # 0.4
        ("the siege of krishnapur", "troubles", 0),
        ("", "x", 0),
        (" ", "x", 0),
        ("I", "ı", 0),
    ],
)
def test_scores_by_hand(answer: str, reference: str, score: float) -> None:
    assert similarity(answer, (reference,)) == pytest.approx(score)
    assert similarity(answer, ("q" * 40, reference)) == pytest.approx(score)


@settings(deadline=None)
@given(
    st.text("abc", max_size=12), st.lists(st.text("abc", min_size=1, max_size=12), min_size=1)
)
def test_it_is_the_formula_over_the_plain_table(answer: str, references: list[str]) -> None:
    found = [
        1 - table_distance(answer, r) / max(len(answer), len(r)) for r in references if answer
    ]
    best = max(found, default=0.0)
    assert similarity(answer, tuple(references)) == pytest.approx(best if best >= 0.5 else 0)


def test_blanks_after_a_wrong_answer_do_not_raise_its_score() -> None:
    assert similarity("xyz" + " " * 9, ("abc",)) == 0


@pytest.mark.parametrize(
    "text",
    [r"\boxed{\text{42\%}}", r"\boxed{42\%}", r"\boxed{$42\%$}", "The answer is 42%.", "42%"],
)
def test_what_is_compared(text: str) -> None:
    assert anls(ask("42%"), said(text)) == 1


def test_money_keeps_its_sign() -> None:
    assert anls(ask("$5"), box(r"\$5")) == 1
    assert anls(ask("$5"), box("$5")) == 1
    assert anls(ask("$5$"), box(r"\$5\$")) == 1


def test_an_episode_that_was_cut_scores_nothing() -> None:
    assert anls(ask("42"), said("42", stop=StopReason.TRUNCATED)) == 0
    assert anls(ask("42"), said(r"42 \boxed{42")) == 0


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("**42%**", "42%"),
        ("`42%`", "42%"),
        ("*It* was **St. Louis**", "It was St. Louis"),
        ("The answer is 2010. It is shown at the top.", "2010"),
        ("The answer is U.S.", "U.S."),
        ("The answer is U.S. It stands there.", "U.S."),
        ("The answer is St. Louis.", "St. Louis"),
        ("The answer is 5 * 3", "5 * 3"),
        (r"The answer is $\text{42\%}$.", "42%"),
        ("Answer: 7\nI misread.\nAnswer: 2010", "2010"),
    ],
)
def test_what_is_read_without_a_box(text: str, reference: str) -> None:
    assert anls(ask(reference), said(text)) == 1


def test_only_the_first_sentence_and_the_whole_are_tried() -> None:
    text = "The answer is 2010. Not 1987. It is at the top."
    assert anls(ask("1987"), said(text)) == anls(ask("not 1987."), said(text)) == 0
    assert anls(ask("2010"), said("The answer is 2010. Or maybe 1987.")) == 0
    assert anls(ask("2010. It"), box("2010. It is")) < 1, "a box is compared as a whole"


@pytest.mark.parametrize(
    "text", ["42\\%", r"$42\%$", '"42%"', "“42%”.", '{"answer": "42%"}', "```\n42%\n```"]
)
def test_what_wraps_a_whole_turn_does_not_count(text: str) -> None:
    assert anls(ask("42%"), said(text)) == 1
