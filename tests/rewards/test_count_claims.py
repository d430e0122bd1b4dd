"""What is a count, and what is only a sentence with a number in it."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, box, said

from pixel_core.rewards.graders.count_sentences import count_of
from pixel_core.rewards.graders.counting import counting
from pixel_core.rewards.graders.whole_numbers import whole_number

ANY = ask(*map(str, range(20)))


@pytest.mark.parametrize(
    "text",
    [
        *("No answer", "No idea.", "I have no idea", "no problem", "No image", "No clear view"),
        *("There is no way to tell without zooming in.", "There is no doubt", "One moment"),
        *("image 1", "Picture 2 is blurry", "Let me zoom in on image 1.", "figure two"),
        *("two thirds", "one quarter of them", "2 percent", "2 plus"),
        *(r"\approx 2", r"\geq 2", r"\sim 2", r"\le 2", r"2 \pm x", r"\frac12", r"\sqrt{4}"),
        *("2, 2", "(2, 2)", "two two", "two (3)", "2 dogs (two)", "about two (2)"),
        *("I cannot count, image 2", "I can see no detail", "no reason to count"),
    ],
)
def test_no_count_in_a_box_a_statement_or_alone(text: str) -> None:
    assert whole_number(text) is None
    for rollout in (box(text), said(f"The answer is {text}"), said(text)):
        assert counting(ANY, rollout) == 0


@pytest.mark.parametrize(
    "text",
    [
        "Let me look closer.\nI will zoom into region 1",
        "The image shows no clear view of it.",
        "I need to look at 2 dogs first",
        "2 of them are hidden",
        "The 2 dogs on the left",
        "I see 2?",
        "Two people are hidden behind the door",
        "2. Let me look again",
        "I can't tell if the answer is 2.",
        "The answer is 2.\nActually, it is more.",
        "First: 2",
        "2: dogs",
        "I looked at 2. Total number of dogs: many",
    ],
)
def test_without_a_box_a_sentence_is_no_count(text: str) -> None:
    assert counting(ANY, said(text)) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("two (2)", 2), ("2 (two)", 2), ("two (2) dogs", 2), ("2 pictures", 2)),
        *(("no one", 0), ("No one.", 0), ("no pictures on the wall", 0), ("None", 0)),
        *(("There are only 2 dogs", 2), ("So there are two dogs on the sofa", 2)),
        *(("Final count: 2", 2), ("Total number of dogs: 2", 2), ("Count: two dogs", 2)),
        *(("There are 2 dogs on the left side of the sofa.", 2), ("the total is 5", 5)),
        *(("I can see 2 dogs", 2), ("Two people are visible in the picture.", 2)),
        *(("a total of 3 dogs", 3), ("I count 4.", 4), ("no dogs in the picture", 0)),
    ],
)
def test_a_bare_count(text: str, number: int) -> None:
    counted = count_of(text)
    assert counted is not None
    assert whole_number(text) == counted.value == number
    for rollout in (box(text), said(text), said(f"I looked.\n{text}"), said(f"Answer: {text}")):
        assert counting(ask(str(number)), rollout) == 1
        assert counting(ask(str(number + 1)), rollout) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *((r"2~\text{cats}", 2), (r"2\ \text{cats}", 2), (r"1{,}000", 1000), (r"1\,000", 1000)),
        *((r"2\,\text{cats}", 2), (r"\(2\)", 2), ("No one is wearing a hat", 0)),
        *(("2, since one of the 3 is hidden", None), ("~2", None), (r"\text{~2}", None)),
        *(("in the picture, 2 dogs", 2), ("2 dogs in the picture", 2)),
    ],
)
def test_a_box_may_hold_latex_and_a_sentence(text: str, number: int | None) -> None:
    for count in (2, 0, 1000):
        assert counting(ask(str(count)), box(text)) == (count == number)


def test_a_statements_reason_is_not_counted() -> None:
    said_so = said("The answer is 2, since one of the 3 is hidden.")
    assert counting(ask("2"), said_so) == 1
    assert counting(ask("3"), said_so) == 0
    assert counting(ask("3"), said("Answer: 2\nI missed one.\nAnswer: 3")) == 1
    assert counting(ask("2"), said("Answer: 2\nI missed one.\nAnswer: 3")) == 0


@pytest.mark.parametrize(
    "text", ["$3", "€3", "3个半", "One on the left, two on the right: 3 in total."]
)
def test_what_is_no_count_or_another_is_not_one(text: str) -> None:
    assert all(counting(ask(n), said(text)) == 0 for n in ("1", "2"))
    assert "total" in text or counting(ask("3"), said(text)) == 0
