"""Grading: the stated rule, its refusals, and properties that hold for any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.records import Picture, Query
from pixel_core.rewards.grading import MAX_ANSWER, extract_boxed, grade

PICTURE = Picture(member="a.png", width=10, height=10, sha256="0" * 64)


def ask(*answers: str, choices: tuple[str, ...] = ()) -> Query:
    return Query(id="q", question="?", pictures=(PICTURE,), answers=answers, choices=choices)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"so \boxed{7}.", "7"),
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{ \text{red} }", r"\text{red}"),
        (r"\boxed{\frac{1}{2}} then", r"\frac{1}{2}"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{}", ""),
        ("no box", None),
        (r"\boxed{never closed", None),
        (r"\boxed{4} and then \boxed{5", None),
        (r"\boxed{a{b}", None),
        (r"boxed{7}", None),
        ("", None),
    ],
)
def test_the_last_box_is_read_with_balanced_braces(text: str, inside: str | None) -> None:
    assert extract_boxed(text) == inside


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("7", "7"),
        ("7.0", "7"),
        ("07", "7"),
        ("+7", "7"),
        ("7%", "7"),
        ("seven", "7"),
        (r"7\%", "7 %"),
        ("$7$", "7"),
        ("1,000", "1000"),
        (".5", "0.50"),
        ("−3", "-3"),
        ("٧", "٧"),
        ("Light-Blue.", "light blue"),
        ("  new\nyork ", "New York"),
        (r"\text{Red}", "red"),
        ("STRASSE", "straße"),
        ("ｒｅｄ", "red"),
        ("007", "007"),
        ("C++", "c++"),
        ("?", "?"),
        ("कि", "कि"),
    ],
)
def test_accepted(answer: str, reference: str) -> None:
    assert grade(answer, ask(reference)) is True


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (None, "7"),
        ("", "7"),
        ("   ", "7"),
        ("\\", "7"),
        ("17", "7"),
        ("-7", "7"),
        ("0.7", "7"),
        ("7.5", "75"),
        ("7,5", "75"),
        ("1,00", "100"),
        ("7 or 8", "7"),
        ("7e0", "7"),
        ("nan", "7"),
        ("7", "007"),
        ("red blue", "red"),
        ("C", "C++"),
        ("का", "कि"),
        ("!", "?"),
        ("7" * (MAX_ANSWER + 1), "7" * (MAX_ANSWER + 1)),
    ],
)
def test_refused(answer: str | None, reference: str) -> None:
    assert grade(answer, ask(reference)) is False


COLOURS = ("red", "blue", "green")


@pytest.mark.parametrize(
    "answer", ["B", "b", "(b)", "B.", "b)", "[B]", "Blue", "B. blue", "(B) Blue.", "option B"]
)
def test_a_choice_by_letter_by_text_or_both(answer: str) -> None:
    assert grade(answer, ask("blue", choices=COLOURS))
    assert grade(answer, ask("B", choices=COLOURS)), "the reference may be the letter"


@pytest.mark.parametrize(
    "answer", ["A", "D", "red", "B. red", "A. blue", "bb", "b c", "(", "1"]
)
def test_a_wrong_or_contradicting_choice(answer: str) -> None:
    assert not grade(answer, ask("blue", choices=COLOURS))


def test_where_letter_and_text_collide_the_text_wins() -> None:
    query = ask("A", choices=("B", "A"))  # glyphs to read: the right one, "A", stands second
    assert grade("A", query)
    assert not grade("B", query)


def test_numbers_as_choices_are_texts_first() -> None:
    query = ask("2", choices=("2", "1", "3"))
    assert grade("2", query)
    assert grade("A", query)
    assert not grade("1", query)


def test_any_of_several_answers() -> None:
    query = ask("grey", "gray")
    assert grade("Gray", query)
    assert grade("grey", query)
    assert not grade("green", query)


texts = st.text(max_size=60)
names = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5).map(tuple)


@given(st.text(max_size=2 * MAX_ANSWER), names, names)
def test_any_answer_is_graded_with_a_bool(answer, answers, choices) -> None:
    assert grade(answer, ask(*answers, choices=choices)) in (True, False)


@given(
    st.from_regex(r"[a-z]{2,12}( [a-z]{2,12})?", fullmatch=True),
    st.text(" \t.,;!-_", max_size=5),
)
def test_case_space_and_punctuation_do_not_count(word: str, noise: str) -> None:
    assert grade(noise + word.upper() + noise, ask(word))
    assert grade(word.replace(" ", noise), ask(word))
    assert not grade(word + "x", ask(word))


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_whole_numbers_match_by_value_only(a: int, b: int) -> None:
    for written in (str(a), f"{a}.0", f"{a:,}", f" {a} %"):
        assert grade(written, ask(str(b))) == (a == b)


@given(st.text(alphabet="\\boxed{} a7", max_size=80))
def test_what_is_extracted_stood_in_the_last_box(text: str) -> None:
    inside = extract_boxed(text)
    if inside is not None:
        tail = text[text.rfind("\\boxed{") + len("\\boxed{") :]
        assert tail.lstrip().startswith(inside)
        assert extract_boxed(rf"\boxed{{{inside}}}") == inside or "\\boxed{" in inside


@given(st.text(alphabet=st.characters(blacklist_characters="\\{}"), max_size=60), texts)
def test_a_box_after_any_text_is_found(inside: str, before: str) -> None:
    assert extract_boxed(f"{before}\\boxed{{{inside}}}") == inside.strip()


def test_an_endless_box_is_bounded() -> None:
    assert extract_boxed("\\boxed{" + "{" * 10_000_000) is None
    assert extract_boxed("\\boxed{" + "a" * MAX_ANSWER + "}") == "a" * MAX_ANSWER
    assert extract_boxed("\\boxed{" + "a" * (MAX_ANSWER + 1) + "}") is None


def test_grading_is_fast() -> None:
    queries = [ask(str(n), choices=("1", "2", "3", "4")) for n in range(200)]
    start = time.process_time()
    for _ in range(50):
        for query in queries:
            grade("(B) 2.", query)
    assert 10_000 / (time.process_time() - start) > 20_000
