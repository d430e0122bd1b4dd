"""Questions proposed on photos: small, fair, told apart, and shown in a drawn order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from seeds import carry_out, in_turn, photo, said, words_of

from pixel_core.config import OpenAIConfig, VerifyConfig
from pixel_core.data.annotation.outcome import AnnotationFault, AnnotationOutcome
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.propose import shuffled
from pixel_core.data.annotation.requests import RequestTask
from pixel_core.records import Box, Cue, Query
from pixel_core.rewards.grading import grade

CONFIG = OpenAIConfig(model="m", verify=VerifyConfig(votes=0))


def proposal(**fields: Any) -> dict[str, Any]:
    return {
        "valid": True,
        "box": [0.1, 0.1, 0.2, 0.3],
        "subject": "the kite over the beach",
        "question": "What colour is the tail of the kite over the beach?",
        "right_option": "green",
        "wrong_options": ["orange", "white", "purple"],
        "whole_view": "I see a wide beach with a kite far up in the sky.",
        "local_view": "The tail that flutters below the kite is green.",
        **fields,
    }


def outcome(*replies: Any) -> AnnotationOutcome:
    return carry_out(annotate_seed(photo(), CONFIG), in_turn(*map(said, replies)))[0]


def test_a_proposal_makes_a_seed_with_a_question() -> None:
    result, (request,) = carry_out(annotate_seed(photo(), CONFIG), in_turn(said(proposal())))
    annotation = result.annotation
    assert annotation is not None
    made = annotation.seed
    assert made.question == "What colour is the tail of the kite over the beach?"
    assert made.answers == ("green",)
    assert sorted(made.choices) == ["green", "orange", "purple", "white"]
    assert annotation.cue == Cue(box=Box(x1=100, y1=60, x2=200, y2=180))
    assert annotation.author == "openai:m@propose-1"
    # Both the option and its letter, as shown, are graded as right; no other letter is.
    query = Query.from_seed(made)
    letters = "ABCD"
    right = letters[made.choices.index("green")]
    assert grade("Green", query)
    assert [letter for letter in letters if grade(letter, query)] == [right]
    assert request.task is RequestTask.PROPOSE
    assert len(request.views) == 1
    assert "question" in words_of(request)


def test_the_right_option_stands_at_every_place_equally_often() -> None:
    options = ("right", "b", "c", "d")
    places = Counter(shuffled(options, 0, f"photo-{n}").index("right") for n in range(4000))
    expected = 1000
    # Chi-square with 3 degrees of freedom: 16.3 is passed once in a thousand by chance.
    assert sum((places[p] - expected) ** 2 / expected for p in range(4)) < 16.3
    # The order of a wrong option does not follow the right one's either.
    pairs = Counter(
        (order.index("right"), order.index("b"))
        for order in (shuffled(options, 0, f"photo-{n}") for n in range(4000))
    )
    assert len(pairs) == 12
    assert max(pairs.values()) < 1.4 * 4000 / 12


def test_the_order_is_drawn_again_the_same_and_differently_by_seed_and_id() -> None:
    options = tuple(map(str, range(10)))
    assert shuffled(options, 3, "a") == shuffled(options, 3, "a")
    assert (
        len({shuffled(options, 3, "a"), shuffled(options, 3, "b"), shuffled(options, 4, "a")})
        == 3
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"box": [0.1, 0.1, 0.6, 0.6]}, AnnotationFault.NOT_SMALL),
        ({"box": [0, 0, 1, 1]}, AnnotationFault.NOT_SMALL),
        ({"box": [0.1, 0.1, 0.101, 0.3]}, AnnotationFault.TOO_SMALL),
        ({"wrong_options": ["orange", "white"]}, AnnotationFault.OPTIONS),
        ({"wrong_options": ["orange", "white", "red", "blue"]}, AnnotationFault.OPTIONS),
        ({"wrong_options": ["orange", "white", "Green."]}, AnnotationFault.OPTIONS),
        ({"wrong_options": ["orange", "7", "7.0"]}, AnnotationFault.OPTIONS),
        ({"wrong_options": ["orange", "white", "a } b"]}, AnnotationFault.OPTIONS),
        ({"wrong_options": ["orange", "white", ""]}, AnnotationFault.TEXT),
        ({"right_option": "<|im_end|>"}, AnnotationFault.TEXT),
        (
            {"question": "What colour is the kite in the cropped picture?"},
            AnnotationFault.MENTION,
        ),
        ({"question": "What is shown in the bounding box?"}, AnnotationFault.MENTION),
        ({"question": "What colour is the kite in this region?"}, AnnotationFault.MENTION),
        ({"question": "What is in the highlighted area?"}, AnnotationFault.MENTION),
        (
            {"question": "What do you see when you zoom in on the kite?"},
            AnnotationFault.MENTION,
        ),
        ({"question": "What does the box show?"}, AnnotationFault.MENTION),
        ({"question": "Which kite is in the close-up?"}, AnnotationFault.MENTION),
        ({"question": "Is the tail of the kite green?"}, AnnotationFault.LEAK),
        ({"subject": "the green tail"}, AnnotationFault.LEAK),
        ({"whole_view": "A kite with a green tail flies there."}, AnnotationFault.LEAK),
        ({"question": " "}, AnnotationFault.TEXT),
    ],
)
def test_a_proposal_that_is_not_fair_is_asked_again(
    fields: dict[str, Any], reason: AnnotationFault
) -> None:
    result = outcome(proposal(**fields), proposal())
    assert result.annotation is not None
    assert result.tally.asked_again == {reason: 1}
    assert outcome(*[proposal(**fields)] * 3).dropped is reason


@pytest.mark.parametrize(
    "question",
    [
        "What colour is the mailbox beside the door?",
        "What does the boxer on the poster hold?",
        "Is the tail green, orange, white or purple?",  # names them all: nothing given away
        "What is written on the regional train?",
    ],
)
def test_fair_questions_are_let_through(question: str) -> None:
    result = outcome(proposal(question=question))
    assert result.annotation is not None
    assert result.annotation.seed.question == question


def test_a_photo_without_a_question_is_dropped_without_asking_again() -> None:
    nothing = dict.fromkeys(
        ("subject", "question", "right_option", "whole_view", "local_view"), ""
    )
    result = outcome(proposal(valid=False, box=[], wrong_options=[], **nothing))
    assert (result.dropped, result.tally.asks) == (
        AnnotationFault.NOT_VALID,
        {RequestTask.PROPOSE: 1},
    )
