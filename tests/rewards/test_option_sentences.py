"""Grader ``choice``: options said in a sentence, corrections, and what only speaks of one."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, said

from pixel_core.records import Query
from pixel_core.rewards.graders.choice import choice

COLOURS = ("red", "blue", "green", "yellow")


def named(text: str, options: tuple[str, ...], question: str = "?") -> list[str]:
    queries = [query(option, options, question) for option in options]
    return [one.answers[0] for one in queries if choice(one, said(text)) == 1]


def query(right: str, options: tuple[str, ...], question: str) -> Query:
    return ask(right, choices=options).model_copy(update={"question": question})


UMBRELLA = "What is the color of the umbrella?"


@pytest.mark.parametrize(
    "text",
    [
        "The umbrella is blue.",
        "The color of the umbrella in the image is **blue**.",
        "After zooming in, the umbrella appears to be blue.",
        "A woman holds an umbrella. It is blue in color.",
        "The umbrella is blue, not red.",
        "The umbrella is blue, which corresponds to option B.",
        "The umbrella is blue. This matches option B.",
        "I'm fairly sure it's B.",
        "It must be the blue one.",
        "Most likely B.",
        "It looks blue to me. B",
        "The answer is A. Wait, no, it's B.",
        "The answer is A. Actually, it is blue.",
        "The answer is B (not A).",
        "The answer is B. A is wrong.",
        "The most suitable option is B.",
        'The answer is option "B".',
        "The answer is letter B.",
        "Final: B",
        "Answer -> B",
        '{"answer": "B"}',
        "The correct answer is:\n\n```\nB\n```",
        "B<|im_end|>",
        "<final_answer>B</final_answer>",
        "應選B",
        "正確答案是B",
        "答：B",
        "我认为是B",
    ],
)
def test_the_option_is_named(text: str) -> None:
    assert named(text, COLOURS, UMBRELLA) == ["blue"]


@pytest.mark.parametrize(
    "text",
    [
        "The wall is blue.",  # the question asks about something else
        "The umbrella is not blue.",
        "The umbrella is blue or red.",
        "The umbrella might be blue.",
        "The umbrella is red on one side. It is blue on the other.",
        "Is the umbrella blue?",
        "If the umbrella is blue, the answer would be B.",
        "I can't see the umbrella. The color is blue.",
        "The opposite of blue.",
        "Option B is tempting.",
        "Option B is a distractor.",
        "Some may say the answer is B.",
        "You might think the answer is B.",
        "The user says the answer is B.",
        "The least likely answer is B.",
        "B... no, A... no, C... I don't know.",
        "Let me look at the umbrella. It may be blue.",
        "Everything except B.",
    ],
)
def test_nothing_is_named(text: str) -> None:
    assert named(text, COLOURS, UMBRELLA) == []


@pytest.mark.parametrize(
    ("text", "options", "claim"),
    [
        ("There are 3 dogs.", ("3", "4", "5"), ["3"]),
        ("3 times", ("3", "4", "2"), ["3"]),
        ("There are 3 or 4 dogs.", ("3", "4", "5"), []),
        ("€5", ("$5", "$50"), []),
        ("-$5", ("$5", "$50"), []),
        (
            "He put down the cup.",
            ("Put down the cup.", "Closed the door."),
            ["Put down the cup."],
        ),
        ("He did not put down the cup.", ("Put down the cup.", "Closed the door."), []),
        ("Based on the picture, no, there isn't.", ("Yes", "No"), ["No"]),
        ("I would say no.", ("Yes", "No"), ["No"]),
        ("Nope.", ("Yes", "No"), ["No"]),
        ("Yes, there is. No other animal is seen.", ("Yes", "No"), ["Yes"]),
        ("没有，图中没有狗。", ("Yes", "No"), ["No"]),
        ("是的", ("Yes", "No"), ["Yes"]),
        ("是不是？", ("Yes", "No"), []),
        ("B, A", ("B", "D", "A"), []),
        ("dog - A", ("dog", "cat"), ["dog"]),
        ("dog - B", ("dog", "cat"), []),
        ("No answer", ("Yes", "No"), []),
        ("No one knows.", ("Yes", "No"), []),
        ("No, I'm not sure.", ("Yes", "No"), []),
        ("No... yes?", ("Yes", "No"), []),
        ("The letter is B.", ("B", "D", "A"), ["B"]),
        ("dark red, not red", ("dark red", "red"), ["dark red"]),
        ("它是蓝色的。", ("红色", "蓝色"), ["蓝色"]),
        ("它不是蓝色的。", ("红色", "蓝色"), []),
        ("可能是蓝色", ("红色", "蓝色"), []),
    ],
)
def test_by_kind_of_options(text: str, options: tuple[str, ...], claim: list[str]) -> None:
    assert named(text, options) == claim
