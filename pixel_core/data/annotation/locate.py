"""Where the evidence for a given question is, and the texts that lead there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation import requests as views
from pixel_core.data.annotation.answers import (
    BoxAnswer,
    FramesAnswer,
    StructuredAnswer,
    Words,
    ask,
    cue_in,
    frames_in,
    read_answer,
    response_format,
)
from pixel_core.data.annotation.outcome import AnnotationFault, GaveUp, ReplyTally
from pixel_core.data.annotation.prompt_files import PromptVersion, prompts_of
from pixel_core.data.annotation.requests import AnnotationRequest, Procedure, RequestTask
from pixel_core.data.annotation.texts import Texts, checked_texts
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Cue, FrameCue, Seed

#: Token limit of an answer: its longest texts, and the rest.
MAX_TOKENS = 800


@dataclass(frozen=True)
class LocatedCue:
    """``cue`` None: the evidence is the picture, or the video, as a whole."""

    cue: Cue | FrameCue | None
    texts: Texts


def locate(seed: Seed, config: OpenAIConfig, tally: ReplyTally) -> Procedure[LocatedCue]:
    """Ask where to look or, if a seed's cue is known, only for the texts.

    ``GaveUp`` when the model says *not valid*, or never answers usably.
    """
    request = locate_request(seed, config)
    prompts = prompts_of(RequestTask.LOCATE, config.prompts.locate)
    located = yield from ask(request, lambda reply: _read(reply, seed, tally), prompts, tally)
    if located is None:
        raise GaveUp(AnnotationFault.NOT_VALID)
    return located


def locate_request(seed: Seed, config: OpenAIConfig) -> AnnotationRequest:
    """The first request of ``locate``."""
    prompts = prompts_of(RequestTask.LOCATE, config.prompts.locate)
    shown = views.whole(seed, config.max_picture_pixels)
    frames: list[int] = []
    if isinstance(seed.cue, FrameCue):
        frames = [frame + 1 for frame in seed.cue.frames]
    elif seed.cue is not None:
        shown += views.cue_alone(seed, seed.cue, config.max_picture_pixels)
    text = prompts.write(
        "question",
        question=seed.question,
        choices=seed.choices,
        answers=seed.answers,
        frames=frames,
        subject=seed.subject,
    )
    name, kind = _schema(seed)
    return AnnotationRequest(
        task=RequestTask.LOCATE,
        messages=(
            {"role": "system", "content": _system(seed, prompts)},
            {"role": "user", "content": views.content(shown, text, frames=seed.is_video)},
        ),
        views=shown,
        response_format=response_format(name, kind),
        max_tokens=MAX_TOKENS,
    )


def _system(seed: Seed, prompts: PromptVersion) -> str:
    values: dict[str, Any] = {"texts": prompts.write("texts")}
    if seed.cue is not None:
        return prompts.write("known", video=seed.is_video, **values)
    if seed.is_video:
        return prompts.write("video", **values)
    return prompts.write("picture", several=len(seed.pictures) > 1, **values)


def _schema(seed: Seed) -> tuple[str, type[StructuredAnswer]]:
    if seed.cue is not None:
        return "describe_cue", Words
    return ("locate_frames", FramesAnswer) if seed.is_video else ("locate_box", BoxAnswer)


def _read(reply: Reply, seed: Seed, tally: ReplyTally) -> LocatedCue | None:
    """None when the model says *not valid*. Raises ``Unusable``."""
    _, kind = _schema(seed)
    answer: Any = read_answer(reply, kind)
    if not answer.valid:
        return None
    cue, repaired = seed.cue, False
    if isinstance(answer, BoxAnswer):
        cue, repaired = cue_in(seed.pictures, answer.picture, answer.box)
    elif isinstance(answer, FramesAnswer):
        cue, repaired = frames_in(len(seed.pictures), answer.frames)
    texts = checked_texts(
        # A subject given by the source is kept; the model's own is ignored.
        seed.subject or answer.subject,
        answer.whole_view,
        answer.local_view,
        seed.answers,
        cued=cue is not None,
    )
    tally.repaired += repaired
    return LocatedCue(cue, texts)
