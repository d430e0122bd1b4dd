"""The second look: does the cue show the answer, and is it readable without the cue?"""

from __future__ import annotations

from functools import partial

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation import requests as views
from pixel_core.data.annotation.answers import LookAnswer, ask, read_answer, response_format
from pixel_core.data.annotation.outcome import AnnotationFault, GaveUp, ReplyTally
from pixel_core.data.annotation.prompt_files import prompts_of
from pixel_core.data.annotation.requests import (
    AnnotationRequest,
    PictureView,
    Procedure,
    RequestTask,
)
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Cue, FrameCue, Query, SecondLook, Seed
from pixel_core.rewards.grading import grade

MAX_TOKENS = 200
#: Several votes must be able to differ; a single one is the most likely answer.
VOTE_TEMPERATURE = 0.7


def look_again(
    seed: Seed, cue: Cue | FrameCue | None, config: OpenAIConfig, tally: ReplyTally
) -> Procedure[SecondLook]:
    """Answer the question from the cue alone, then from everything at a small size.

    ``GaveUp(LOOK_FAILED)`` when the cue does not give the right answer; without a cue, when
    the small whole does not: the trajectory would have to guess.
    """
    if cue is not None:
        alone = views.cue_alone(seed, cue, config.max_picture_pixels)
        if not (yield from _majority(seed, alone, config, tally)):
            raise GaveUp(AnnotationFault.LOOK_FAILED)
    small = views.whole(seed, config.verify.whole_pixels)
    if (yield from _majority(seed, small, config, tally)):
        return SecondLook.EASY
    if cue is None:
        raise GaveUp(AnnotationFault.LOOK_FAILED)
    return SecondLook.NEEDS_ZOOM


def look_request(
    seed: Seed, shown: tuple[PictureView, ...], config: OpenAIConfig, vote: int
) -> AnnotationRequest:
    """The question about ``shown`` alone, without the answer, the cue or what was located."""
    prompts = prompts_of(RequestTask.LOOK, config.prompts.look)
    text = prompts.write("user", question=seed.question, choices=seed.choices)
    system = prompts.write("system", video=seed.is_video, choices=seed.choices)
    return AnnotationRequest(
        task=RequestTask.LOOK,
        messages=(
            {"role": "system", "content": system},
            {"role": "user", "content": views.content(shown, text, frames=seed.is_video)},
        ),
        views=shown,
        response_format=response_format("look", LookAnswer),
        max_tokens=MAX_TOKENS,
        temperature=VOTE_TEMPERATURE if config.verify.votes > 1 else 0.0,
        vote=vote,
    )


def _majority(
    seed: Seed, shown: tuple[PictureView, ...], config: OpenAIConfig, tally: ReplyTally
) -> Procedure[bool]:
    """Whether most votes are right; asks only until the majority is decided."""
    prompts = prompts_of(RequestTask.LOOK, config.prompts.look)
    query = Query.from_seed(seed)
    needed = config.verify.votes // 2 + 1
    right = wrong = 0
    while max(right, wrong) < needed:
        request = look_request(seed, shown, config, vote=right + wrong)
        if (yield from ask(request, partial(_is_right, query), prompts, tally)):
            right += 1
        else:
            wrong += 1
    return right >= needed


def _is_right(query: Query, reply: Reply) -> bool:
    """Raises ``Unusable`` for a reply that neither answers nor says it cannot."""
    answer = read_answer(reply, LookAnswer)
    return answer.readable and grade(answer.answer.strip(), query)
