"""Where the evidence is: what is asked, and what is made of the answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import carry_out, in_turn, picture, said, seed, video, words_of

from pixel_core.config import OpenAIConfig, VerifyConfig
from pixel_core.data.annotation.answers import SLACK, cue_in
from pixel_core.data.annotation.outcome import AnnotationFault, AnnotationOutcome, Unusable
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.requests import RequestTask
from pixel_core.records import Box, Cue, FrameCue, Seed

CONFIG = OpenAIConfig(model="m", verify=VerifyConfig(votes=0))
WORDS = {
    "subject": "the sign above the door",
    "whole_view": "I see a street; over one of the doors hangs a sign.",
    "local_view": "Painted on the sign I read the word Harbour.",
}


def box(**fields: Any) -> dict[str, Any]:
    return {"valid": True, "picture": 1, "box": [0.25, 0.25, 0.5, 0.5], **WORDS, **fields}


def frames(*numbers: int, **fields: Any) -> dict[str, Any]:
    return {"valid": True, "frames": list(numbers), **WORDS, **fields}


def outcome(one: Seed, *replies: Any) -> AnnotationOutcome:
    return carry_out(annotate_seed(one, CONFIG), in_turn(*map(said, replies)))[0]


def test_a_box_becomes_a_cue_in_pixels_and_the_texts_stay() -> None:
    result = outcome(seed(), box())
    annotation = result.annotation
    assert annotation is not None
    assert result.dropped is None
    assert annotation.cue == Cue(box=Box(x1=250, y1=150, x2=500, y2=300))
    assert annotation.seed.subject == "the sign above the door"
    assert annotation.local_view == WORDS["local_view"]
    assert annotation.author == "openai:m@locate-1"
    assert annotation.look is None
    assert (result.tally.prompt_tokens, result.tally.completion_tokens) == (100, 20)


def test_the_request_shows_every_picture_with_question_choices_and_answer() -> None:
    one = seed(
        pictures=(picture("a.png"), picture("b.png")), choices=("Harbour", "Station", "Inn")
    )
    _, (request,) = carry_out(annotate_seed(one, CONFIG), in_turn(said(box(picture=2))))
    assert request.task is RequestTask.LOCATE
    assert [view.picture for view in request.views] == list(one.pictures)
    assert {view.max_pixels for view in request.views} == {CONFIG.max_picture_pixels}
    content = request.messages[1]["content"]
    assert [part["view"] for part in content if part["type"] == "view"] == [0, 1]
    for word in (
        "What does the sign say?",
        "Right answer: Harbour",
        "B. Station",
        "Picture 2:",
    ):
        assert word in words_of(request)
    schema = request.response_format["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert set(schema["schema"]["required"]) == set(schema["schema"]["properties"])


def test_the_box_is_in_the_picture_that_was_named() -> None:
    one = seed(pictures=(picture("a.png"), picture("b.png", 400, 400)))
    annotation = outcome(one, box(picture=2)).annotation
    assert annotation is not None
    assert annotation.cue == Cue(box=Box(x1=100, y1=100, x2=200, y2=200), picture=1)


def test_frames_are_numbered_from_one_and_become_a_cue_from_zero() -> None:
    result, (request,) = carry_out(
        annotate_seed(video(), CONFIG), in_turn(said(frames(5, 4, 6, 5)))
    )
    assert result.annotation is not None
    assert result.annotation.cue == FrameCue(frames=(3, 4, 5))
    assert result.tally.repaired == 1
    assert len(request.views) == 16
    assert {4 * view.max_pixels for view in request.views} == {CONFIG.max_picture_pixels}
    assert "Frame 16:" in words_of(request)


def test_all_frames_and_a_box_around_everything_are_no_cue() -> None:
    for one, answer in ((video(), frames(*range(1, 17))), (seed(), box(box=[0, 0, 1, 1]))):
        annotation = outcome(one, answer).annotation
        assert annotation is not None
        assert annotation.cue is None
        assert annotation.seed.subject == ""


@pytest.mark.parametrize(
    "one",
    [
        seed(cue=Cue(box=Box(x1=100, y1=60, x2=200, y2=120)), subject="the old sign"),
        video(cue=FrameCue(frames=(2, 7))),
    ],
)
def test_a_cue_from_the_source_is_kept_and_only_texts_are_asked_for(one: Seed) -> None:
    result, (request,) = carry_out(
        annotate_seed(one, CONFIG), in_turn(said({"valid": True, **WORDS}))
    )
    annotation = result.annotation
    assert annotation is not None
    assert annotation.cue == one.cue
    assert annotation.author == "source+openai:m@locate-1"
    assert annotation.seed.subject == (one.subject or WORDS["subject"])
    properties = request.response_format["json_schema"]["schema"]["properties"]
    assert not {"box", "frames", "picture"} & set(properties)
    if one.is_video:
        assert "Frames with the evidence: 3, 8" in words_of(request)
    else:  # the last picture is the cue from close by, with a margin
        assert request.views[-1].region == Box(x1=90, y1=54, x2=210, y2=126)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("here you are: the box is on the left", AnnotationFault.NOT_JSON),
        ("[" * 100_000, AnnotationFault.NOT_JSON),
        (" \n", AnnotationFault.EMPTY),
        (None, AnnotationFault.EMPTY),
        ("[]", AnnotationFault.SCHEMA),
        ({"valid": True}, AnnotationFault.SCHEMA),
        ({**box(), "extra": 1}, AnnotationFault.SCHEMA),
        (box(picture="1"), AnnotationFault.SCHEMA),
        (box(box=[0.1] * 1000), AnnotationFault.SCHEMA),
        (box(picture=0), AnnotationFault.PLACE),
        (box(picture=2), AnnotationFault.PLACE),
        (box(box=[10, 10, 300, 200]), AnnotationFault.PLACE),
        (box(box=[0.5, 0.5, 0.5, 0.7]), AnnotationFault.PLACE),
        (box(box=[0.1, 0.2, 0.3]), AnnotationFault.PLACE),
        (box(box=[math.nan, 0.2, 0.3, 0.4]), AnnotationFault.PLACE),
        (box(box=[0.5, 0.5, 0.501, 0.7]), AnnotationFault.TOO_SMALL),
        (box(local_view="done <|im_end|>"), AnnotationFault.TEXT),
        (box(local_view="so \\boxed{4}"), AnnotationFault.TEXT),
        (box(subject="<tool_call>"), AnnotationFault.TEXT),
        (box(subject="x" * 500), AnnotationFault.TEXT),
        (box(subject="​ "), AnnotationFault.TEXT),
        (box(whole_view="Inside the bounding box is a door."), AnnotationFault.MENTION),
        (box(local_view="This matches the given answer."), AnnotationFault.MENTION),
        (box(whole_view="A sign says HARBOUR."), AnnotationFault.LEAK),
        (box(subject="the harbour sign"), AnnotationFault.LEAK),
    ],
)
def test_a_useless_answer_is_asked_again_with_its_fault_then_dropped(
    answer: Any, reason: AnnotationFault
) -> None:
    mended, asked = carry_out(annotate_seed(seed(), CONFIG), in_turn(said(answer), said(box())))
    assert mended.annotation is not None
    assert mended.tally.asked_again == {reason: 1}
    assert "could not be used" in asked[1].messages[-1]["content"]
    assert len(asked[1].messages[-2]["content"]) <= 2000

    dropped = outcome(seed(), answer, answer, answer)
    assert (dropped.annotation, dropped.dropped) == (None, reason)
    assert dropped.tally.asks == {RequestTask.LOCATE: 3}
    assert dropped.tally.asked_again == {reason: 2}


@pytest.mark.parametrize(
    "answer", ['{"\\ud800": 1}', "\ud800", json.dumps({"x" * 100_000: 1}), "\0" * 5000]
)
def test_what_goes_back_to_the_model_is_short_and_can_be_sent(answer: str) -> None:
    _, asked = carry_out(annotate_seed(seed(), CONFIG), in_turn(said(answer), said(box())))
    back = json.dumps(asked[1].messages[2:], ensure_ascii=False).encode()
    assert len(back) < 20_000


@pytest.mark.parametrize("numbers", [(), (0,), (17,), (-1, 3)])
def test_frames_that_are_not_there_are_asked_again(numbers: tuple[int, ...]) -> None:
    result = outcome(video(), frames(*numbers), frames(3))
    assert result.tally.asked_again == {AnnotationFault.PLACE: 1}


def test_refused_and_cut_answers_have_reasons_of_their_own() -> None:
    replies = (
        said(None, refusal="I can't help with that."),
        said('{"valid": tr', truncated=True),
        said(None, refusal="content_filter"),
    )
    result, _ = carry_out(annotate_seed(seed(), CONFIG), in_turn(*replies))
    assert result.dropped is AnnotationFault.REFUSED
    assert result.tally.asked_again == {
        AnnotationFault.REFUSED: 1,
        AnnotationFault.TRUNCATED: 1,
    }


def test_what_the_model_calls_not_valid_is_dropped_at_once() -> None:
    empty = {"subject": "", "whole_view": "", "local_view": ""}
    for one, answer in (
        (seed(), box(valid=False, box=[], **empty)),
        (video(), frames(valid=False, **empty)),
    ):
        result = outcome(one, answer)
        assert (result.dropped, result.tally.asks) == (
            AnnotationFault.NOT_VALID,
            {RequestTask.LOCATE: 1},
        )


def test_swapped_and_slightly_outside_boxes_are_repaired_and_counted() -> None:
    result = outcome(seed(), box(box=[0.5, 1.02, -0.03, 0.5]))
    assert result.annotation is not None
    assert result.annotation.cue == Cue(box=Box(x1=0, y1=300, x2=500, y2=600))
    assert result.tally.repaired == 1


@settings(max_examples=40)
@given(
    st.lists(st.floats(-0.2, 1.2), min_size=4, max_size=4),
    st.integers(1, 3000),
    st.integers(1, 3000),
)
def test_every_box_that_is_accepted_lies_in_the_picture_and_holds_what_was_named(
    corners: list[float], width: int, height: int
) -> None:
    inside = [min(1.0, max(0.0, value)) for value in corners]
    sides = width * abs(inside[0] - inside[2]), height * abs(inside[1] - inside[3])
    if any(abs(a - b) > SLACK for a, b in zip(corners, inside, strict=True)) or not min(sides):
        with pytest.raises(Unusable):
            cue_in((picture("a", width, height),), 1, corners)
        return
    try:
        cue, _ = cue_in((picture("a", width, height),), 1, corners)
    except Unusable:
        assert min(sides) <= 4
        return
    if cue is not None:
        found = cue.box
        assert 0 <= found.x1 < found.x2 <= width
        assert 0 <= found.y1 < found.y2 <= height
        assert found.x1 <= min(inside[0], inside[2]) * width
        assert found.y2 >= max(inside[1], inside[3]) * height


WRAPPED = {
    "a block": "```json\n{}\n```",
    "a block without a language": "\n```\n{}```\n",
    "a thought": "<think>A sign {or not}.\n</think>\n{}",
    "a thought without its beginning": "A sign.</think>{}",
    "a thought and a block": "<think>A sign.</think>\n\n```JSON\n{}\n```",
}


@pytest.mark.parametrize("form", WRAPPED.values(), ids=WRAPPED)
def test_thoughts_and_a_blocks_marks_are_no_part_of_the_answer(form: str) -> None:
    plain = outcome(seed(), box())
    wrapped = outcome(seed(), form.replace("{}", json.dumps(box())))
    assert wrapped.annotation is not None
    assert wrapped.annotation == plain.annotation


@pytest.mark.parametrize("text", ["<think>{}", "```json\n{}", "{} That is it.", "Sure: {}"])
def test_other_words_around_an_answer_are_not(text: str) -> None:
    found = outcome(seed(), *[text.replace("{}", json.dumps(box()))] * 3)
    assert found.dropped is AnnotationFault.NOT_JSON
