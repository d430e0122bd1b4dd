"""The second look: who is shown what, and what follows from what they say."""

from __future__ import annotations

from typing import Any

import pytest
from seeds import carry_out, photo, said, seed, video, words_of
from test_locate import box, frames
from test_propose import proposal

from pixel_core.config import OpenAIConfig, VerifyConfig
from pixel_core.data.annotation.cost_estimate import expected_requests
from pixel_core.data.annotation.outcome import AnnotationFault, AnnotationOutcome
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.requests import AnnotationRequest, RequestTask
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Box, Cue, SecondLook, Seed


def config(votes: int = 1) -> OpenAIConfig:
    return OpenAIConfig(model="m", verify=VerifyConfig(votes=votes))


def is_whole(one: Seed, request: AnnotationRequest) -> bool:
    return [view.picture for view in request.views] == list(one.pictures) and not any(
        view.region for view in request.views
    )


def looked(
    one: Seed,
    first: dict[str, Any],
    crop: list[str | None],
    whole: list[str | None],
    votes: int = 1,
) -> tuple[AnnotationOutcome, list[AnnotationRequest]]:
    """Locate (or propose) with ``first``; then the answers read from crop and whole, in
    turn, None where it can't be read."""
    left = {False: iter(crop), True: iter(whole)}

    def answer(request: AnnotationRequest) -> Reply:
        if request.task is not RequestTask.LOOK:
            return said(first)
        read = next(left[is_whole(one, request)])
        return said({"readable": read is not None, "answer": read or ""})

    return carry_out(annotate_seed(one, config(votes)), answer)


@pytest.mark.parametrize(
    ("crop", "whole", "look"),
    [
        (["harbour."], [None], SecondLook.NEEDS_ZOOM),
        (["Harbour"], ["Station"], SecondLook.NEEDS_ZOOM),
        (["Harbour"], ["HARBOUR"], SecondLook.EASY),
        (["Station"], [], None),
        ([None], [], None),
    ],
)
def test_what_follows_from_the_two_looks(
    crop: list[str | None], whole: list[str | None], look: SecondLook | None
) -> None:
    result, asked = looked(seed(), box(), crop, whole)
    if look is None:
        assert (result.annotation, result.dropped) == (None, AnnotationFault.LOOK_FAILED)
    else:
        assert result.annotation is not None
        assert result.annotation.look is look
        assert result.annotation.author == "openai:m@locate-1,look-1"
    assert result.tally.asks[RequestTask.LOOK] == len(crop) + len(whole)
    assert len(asked) == 1 + len(crop) + len(whole)


def test_who_looks_again_sees_the_crop_or_the_small_whole_and_is_told_nothing() -> None:
    one = seed(choices=("Inn", "Harbour"))
    _, (_, crop, whole) = looked(one, box(), ["B"], [None])
    (view,) = crop.views
    # The box is 250..500 x 150..300; a tenth of its sides is left around it.
    assert view.region == Box(x1=225, y1=135, x2=525, y2=315)
    assert [v.max_pixels for v in whole.views] == [config().verify.whole_pixels]
    for request in (crop, whole):
        text = words_of(request)
        assert "What does the sign say?" in text
        assert "A. Inn\nB. Harbour" in text
        for told in ("Right answer", "sign above the door", "225", "0.25", "Painted"):
            assert told not in text
        assert (request.temperature, request.vote) == (0.0, 0)


def test_of_a_video_the_cues_frames_are_looked_at_alone_then_all_of_them_small() -> None:
    one = video()
    result, (_, alone, small) = looked(one, frames(3, 4), ["Harbour"], [None])
    assert result.annotation is not None
    assert [view.picture for view in alone.views] == list(one.pictures[2:4])
    assert [view.picture for view in small.views] == list(one.pictures)
    assert {view.max_pixels for view in small.views} == {config().verify.whole_pixels // 4}
    # The frames alone are numbered anew: their place in the video is not given away.
    assert "Frame 3:" not in words_of(alone)


def test_a_proposed_question_is_looked_at_with_its_shuffled_choices() -> None:
    result, (_, crop, _) = looked(photo(), proposal(), ["green"], [None])
    assert result.annotation is not None
    shown = [f"{'ABCD'[n]}. {c}" for n, c in enumerate(result.annotation.seed.choices)]
    assert "\n".join(shown) in words_of(crop)
    assert result.annotation.author == "openai:m@propose-1,look-1"


@pytest.mark.parametrize(
    ("crop", "whole", "look"),
    [
        (["Harbour", "Harbour"], [None, "Inn"], SecondLook.NEEDS_ZOOM),
        (["Harbour", None, "Harbour"], ["Harbour", None, "Harbour"], SecondLook.EASY),
        (["Harbour", "Harbour"], ["Harbour", None, None], SecondLook.NEEDS_ZOOM),
        ([None, "Harbour", None], [], None),
    ],
)
def test_the_majority_decides_and_votes_that_change_nothing_are_not_paid(
    crop: list[str | None], whole: list[str | None], look: SecondLook | None
) -> None:
    result, asked = looked(seed(), box(), crop, whole, votes=3)
    assert (result.annotation.look if result.annotation else None) is look
    looks = [request for request in asked if request.task is RequestTask.LOOK]
    assert len(looks) == len(crop) + len(whole)
    assert [r.vote for r in looks] == [*range(len(crop)), *range(len(whole))]
    assert all(request.temperature > 0 for request in looks)


@pytest.mark.parametrize(("answer", "kept"), [("Harbour", True), ("Inn", False), (None, False)])
def test_a_question_about_the_whole_needs_an_answer_that_shows_at_its_small_size(
    answer: str | None, kept: bool
) -> None:
    result, asked = looked(seed(), box(box=[0, 0, 1, 1]), [], [answer])
    assert len(asked) == 2
    if kept:
        assert result.annotation is not None
        assert (result.annotation.cue, result.annotation.look) == (None, SecondLook.EASY)
    else:
        assert result.dropped is AnnotationFault.LOOK_FAILED


def test_a_look_without_an_answer_decides_nothing_and_drops_the_seed_for_that() -> None:
    def answer(request: AnnotationRequest) -> Reply:
        if request.task is RequestTask.LOCATE:
            return said(box())
        if is_whole(seed(), request):
            return said(None, refusal="no")
        return said({"readable": True, "answer": "Harbour"})

    result, asked = carry_out(annotate_seed(seed(), config()), answer)
    assert result.dropped is AnnotationFault.REFUSED
    assert len(asked) == 1 + 1 + 3


def test_new_words_for_the_look_leave_the_first_request_as_it_was() -> None:
    one, other = config(), config(3)
    first = next(annotate_seed(seed(), one))
    assert first == next(annotate_seed(seed(), other))


@pytest.mark.parametrize(
    ("one", "first", "right"),
    [
        (seed(), box(), "Harbour"),
        (seed(cue=Cue(box=Box(x1=1, y1=1, x2=90, y2=90))), None, "Harbour"),
        (photo(), proposal(), "green"),
        (video(), frames(3), "Harbour"),
    ],
)
def test_expected_requests_are_the_first_one_and_as_many_looks(
    one: Seed, first: dict[str, Any] | None, right: str
) -> None:
    words = {key: box()[key] for key in ("valid", "subject", "whole_view", "local_view")}
    _, asked = looked(one, first or words, [right], [None])
    expected = expected_requests(one, config())
    assert expected[0] == asked[0]
    assert [r.task for r in expected] == [r.task for r in asked]
    if one.cue is not None:  # known before: nothing is guessed
        assert list(expected) == asked
    assert len(expected_requests(one, config(votes=0))) == 1
