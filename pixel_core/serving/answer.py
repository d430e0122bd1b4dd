"""The result of a question: one step per turn, then the answer."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from pixel_core.records import Box, Query, Rollout, Step, StopReason
from pixel_core.rollout.episode import Episode
from pixel_core.rollout.operations import ShownPicture


@dataclass(frozen=True)
class AnswerStep:
    """One turn of the model, with what its call returned.

    ``record``: the step in the project's common record. ``shown``: the pictures that the call
    returned, in order: one crop, or the selected frames; () when nothing was executed.
    ``tokens``: sampled in this turn.
    """

    number: int  #: from 1
    record: Step
    shown: tuple[ShownPicture, ...]
    tokens: int

    @property
    def text(self) -> str:
        """The model's own words. Untrusted, like everything a model writes."""
        return self.record.text

    @property
    def box(self) -> Box | None:
        """The box it zoomed to, in pixels of the question's picture; None without a zoom."""
        return self.record.box

    @property
    def picture(self) -> int | None:
        """Which of the question's pictures ``box`` lies in, 0-based."""
        return self.shown[0].picture if self.box is not None else None

    @property
    def frames(self) -> tuple[int, ...]:
        """The selected frames of the video, 0-based."""
        return self.record.frames

    @property
    def error(self) -> str:
        """Why the call was refused (a ``CallErrorKind``); "" if none was."""
        return self.record.error

    @property
    def crops(self) -> tuple[Image.Image, ...]:
        """The pictures the call returned, RGB, at the source's own resolution."""
        return tuple(picture.image for picture in self.shown)


@dataclass(frozen=True)
class Answer:
    """``text``: the content of the last box; "" if the model gave none. ``pictures``: the
    question's pictures or its video's frames, RGB, upright. ``seconds``: from submission to
    the answer, including time in the queue."""

    text: str
    steps: tuple[AnswerStep, ...]
    stop: StopReason
    query: Query
    pictures: tuple[Image.Image, ...]
    operations: int
    failed_operations: int
    tokens: int
    prompt_tokens: int
    seconds: float
    rollout: Rollout

    @property
    def answered(self) -> bool:
        return self.stop is StopReason.ANSWERED


def answer_of(episode: Episode, steps: tuple[AnswerStep, ...], seconds: float) -> Answer:
    """The answer of an episode that has ended."""
    assert episode.stop is not None
    own = episode.shown[: len(episode.query.pictures)]
    sampled = episode.sampled
    returned = len(episode.transcript) - sampled
    return Answer(
        text=episode.answer,
        steps=steps,
        stop=episode.stop,
        query=episode.query,
        pictures=tuple(picture.image for picture in own),
        operations=episode.operations,
        failed_operations=episode.failures,
        tokens=sampled,
        prompt_tokens=returned,
        seconds=seconds,
        rollout=episode.record(),
    )
