"""A question to a loaded model: checked, with its pictures prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.errors import DataError
from pixel_core.records import Picture, Query
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.operations import show
from pixel_core.rollout.transcript import Visual

#: Most characters of a question with its choices. A token is several characters, so longer
#: ones would fill any context.
MAX_CHARACTERS = 50_000

#: Choices are lettered.
MAX_CHOICES = 26

GREEDY = SamplingConfig(temperature=0.0)


@dataclass(frozen=True)
class Question:
    """``seed``: for sampling the answer. ``seconds``: how long the asker waits for the answer;
    None: forever."""

    opening: RenderedPrompt
    dialogue: DialogueConfig
    sampling: SamplingConfig = GREEDY
    seed: int = 0
    seconds: float | None = None


def open_question(
    images: Sequence[Image.Image],
    text: str,
    dialogue: DialogueConfig,
    *,
    is_video: bool = False,
    choices: Sequence[str] = (),
) -> RenderedPrompt:
    """The pictures (RGB) or a video's frames, with the question, as the model will see them.

    Resizing is done here, in the caller's thread. Raises ``DataError`` for an invalid
    question and ``MediaError`` for a picture that can't be shown.
    """
    _check(images, text, choices, dialogue, is_video)
    budget = dialogue.frames.frame if is_video else dialogue.picture
    shown = tuple(show(image, index, budget) for index, image in enumerate(images))
    visuals = tuple(Visual(picture) for picture in shown)
    for visual in visuals:
        _ = visual.image  # resized now, not while others wait
    query = Query(
        id="question",
        question=text,
        pictures=tuple(
            Picture(member=str(number), width=image.width, height=image.height, sha256="")
            for number, image in enumerate(images, 1)
        ),
        is_video=is_video,
        answers=("",),  # unknown
        choices=tuple(choices),
    )
    return RenderedPrompt(query, shown, visuals)


def _check(
    images: Sequence[Image.Image],
    text: str,
    choices: Sequence[str],
    dialogue: DialogueConfig,
    is_video: bool,
) -> None:
    if isinstance(choices, str):
        raise DataError("the choices are one text: give a list of texts")
    for what, given in (("question", text), *(("choice", choice) for choice in choices)):
        _check_text(what, given)
    if not text.strip():
        raise DataError("the question is empty: ask something")
    length = len(text) + sum(map(len, choices))
    if length > MAX_CHARACTERS:
        raise DataError(
            f"the question has {length:,} characters, allowed are {MAX_CHARACTERS:,}: "
            "shorten it"
        )
    if len(choices) == 1 or len(choices) > MAX_CHOICES or not all(c.strip() for c in choices):
        raise DataError(
            f"{len(choices)} choices can't be offered: give 2 to {MAX_CHOICES}, none empty, "
            "or none at all"
        )
    if not images:
        raise DataError("there is no picture: a question here is about a picture or a video")
    if not is_video and len(images) > dialogue.max_pictures:
        raise DataError(
            f"{len(images)} pictures are too many, the model is shown at most "
            f"{dialogue.max_pictures} (dialogue.max_pictures): leave some out"
        )


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise DataError(f"a {what} is a {type(text).__name__}: give a text")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise DataError(f"a {what} holds half a character (a surrogate): take it out")
