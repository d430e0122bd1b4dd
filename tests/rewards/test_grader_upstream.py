"""The original's matcher: what it gets right, and each of its stated faults."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said

from pixel_core.records import StopReason
from pixel_core.rewards.graders.registry import strict
from pixel_core.rewards.graders.upstream_code import upstream_code

COLOURS = ("red", "blue", "green")


@pytest.mark.parametrize(
    ("answer", "references", "right"),
    [
        ("7", ["7"], True),
        ("8", ["7"], False),
        ("Share contacts", ["share contacts"], True),
        ("0.5", ["1/2"], True),
        ("grey", ["gray", "grey"], True),
        ("45", ["45%"], True),
        (r"45\%", ["45%"], True),
    ],
)
def test_plain_answers(answer: str, references: list[str], right: bool) -> None:
    assert upstream_code(ask(*references), box(answer)) == right


def test_letters_are_compared_as_symbols() -> None:
    query = ask("blue", choices=COLOURS)
    assert upstream_code(query, box("B")) == 1
    assert upstream_code(query, box("(b)")) == 1
    assert upstream_code(query, box("A")) == 0
    assert upstream_code(query, box("B. blue")) == 0, "fault 2"
    assert upstream_code(query, box("blue")) == 0, "fault 2"


#: By fault: the reference, and a rollout that the original calls a match and that is none.
WRONGLY_RIGHT = {
    "words are products of letters": ("saw", box("was")),
    "an earlier turn's box": ("7", said(r"\boxed{7} or so", "Let me look again. It is 8 or")),
    "a cut answer": ("7", said(r"\boxed{7} but wait", stop=StopReason.TRUNCATED)),
    "no box at all": ("7", said("it must be 7")),
    "a tag beside a wrong box": ("7", said(r"<answer>7</answer> \boxed{8}")),
    "the text beside a wrong box": (
        "7",
        said(r"\boxed{8}. The final answer is $7$. I hope it is correct."),
    ),
    "cut out of words": ("acme", box("ae")),
    "parts anywhere": ("1,000", box("2000 or 1")),
    "parts in any order": ("cat, dog", box("dogma and catalogue")),
}


@pytest.mark.parametrize("fault", WRONGLY_RIGHT)
def test_a_wrong_answer_that_it_calls_right(fault: str) -> None:
    reference, rollout = WRONGLY_RIGHT[fault]
    assert upstream_code(ask(reference), rollout) == 1
    assert strict(ask(reference), rollout) == 0


def test_a_tag_is_read_once_and_answer_with_a_colon_never() -> None:
    assert upstream_code(ask("7"), said("<answer>6</answer> <answer>7</answer>, not 9")) == 0
    assert upstream_code(ask("red"), said("Answer: red")) == 0


def test_a_number_before_a_crop_is_not_the_last() -> None:
    """In the original the whole text's last number is then the crop's size."""
    assert upstream_code(ask("42"), said("it is 42", "it is red")) == 0
    assert upstream_code(ask("42"), said("it is red", "it is 42")) == 1


def test_the_empty_reference_matches_nothing() -> None:
    assert upstream_code(ask(" "), box("")) == 0
