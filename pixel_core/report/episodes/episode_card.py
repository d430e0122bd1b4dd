"""One episode as a card: the pictures with the boxes looked at, the steps, the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pixel_core.records import Query, Step, StopReason
from pixel_core.report.episodes.gallery import (
    Cutting,
    Gallery,
    Mark,
    Role,
    Shot,
    Strip,
    cutting,
)
from pixel_core.report.html.wording import STOPS, clipped, plain

#: Most characters of an answer shown.
_ANSWER = 200


class Told(Protocol):
    """An episode to show: a ``Rollout``, or one still running."""

    @property
    def steps(self) -> Sequence[Step]: ...

    @property
    def stop(self) -> StopReason | None:
        """None while it runs."""

    @property
    def answer(self) -> str: ...

    @property
    def operations(self) -> int:
        """Executed calls."""

    @property
    def failed_operations(self) -> int: ...


@dataclass(frozen=True)
class StepCard:
    text: str
    #: The number of the operation it executed; 0 for none.
    number: int
    #: The operation's output: a crop, or the selected frames.
    views: list[Cutting]
    error: str


@dataclass(frozen=True)
class EpisodeCard:
    """The answering model (``model``: CSS class; ``name``: for display) and its episode."""

    model: str
    name: str
    #: None if unknown: no right answer is known, or none is given yet.
    correct: bool | None
    answer: str
    #: In words; "" while the episode runs.
    stop: str
    operations: int
    failed: int
    #: The question's pictures with the boxes looked at; for a video its frames instead.
    shots: list[Shot]
    strip: Strip | None
    steps: list[StepCard]
    #: Shown after the counts: "sampled: 1 of 2 right".
    notes: list[str] = field(default_factory=list)
    #: Shown until the episode ends; "": the number of steps so far.
    pending: str = ""


def episode_card(
    query: Query,
    told: Told,
    gallery: Gallery,
    *,
    model: str,
    name: str,
    correct: bool | None = None,
    notes: Sequence[str] = (),
    pending: str = "",
) -> EpisodeCard:
    """``gallery`` opens the query's pictures. Texts are clipped here and escaped by the
    template."""
    steps, marks, selected = _steps(told.steps, query, gallery, name)
    shots, strip = list[Shot](), None
    if query.is_video:
        alt = f"{name}: the video, with the frames of {_count(len(selected), 'call')} marked"
        strip = gallery.strip(query.pictures, [(s, Role.LOOK) for s in selected], (), alt)
    else:
        alt = f"{name}: {_count(len(marks), 'box', 'boxes')} looked at"
        shots = [
            gallery.shot(picture, [mark for place, mark in marks if place == n], alt)
            for n, picture in enumerate(query.pictures)
        ]
    return EpisodeCard(
        model=model,
        name=name,
        correct=correct,
        answer=clipped(told.answer, _ANSWER),
        stop="" if told.stop is None else STOPS[told.stop],
        operations=told.operations,
        failed=told.failed_operations,
        shots=shots,
        strip=strip,
        steps=steps,
        notes=list(notes),
        pending=pending,
    )


def _steps(
    steps: Sequence[Step], query: Query, gallery: Gallery, name: str
) -> tuple[list[StepCard], list[tuple[int, Mark]], list[tuple[int, ...]]]:
    """The steps, all executed boxes with the query picture each lies in, and all selections.

    A step's ``picture`` indexes everything shown before it: the question's own pictures,
    crops and selected frames. A crop's boxes lie in the picture it was cut from.
    """
    origin = list(range(len(query.pictures)))
    marks: list[tuple[int, Mark]] = []
    selected: list[tuple[int, ...]] = []
    cards = []
    for step in steps:
        views, number = list[Cutting](), 0
        if step.box is not None:
            place = origin[step.picture or 0]
            origin.append(place)
            number = len(marks) + len(selected) + 1
            marks.append((place, Mark(step.box, str(number), Role.LOOK)))
            alt = f"{name}, what box {number} shows"
            views = [gallery.crop(query.pictures[place], step.box, alt)]
        elif step.frames:
            origin += step.frames
            selected.append(step.frames)
            number = len(marks) + len(selected)
            views = [
                cutting(gallery.load(query.pictures[at]), f"{name}, frame {at + 1}")
                for at in step.frames
            ]
        cards.append(StepCard(clipped(step.text), number, views, plain(step.error)))
    return cards, marks, selected


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
