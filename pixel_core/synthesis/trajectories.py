"""One trajectory from one annotated seed: boxes chosen, turns written.

Source: Pixel Reasoner (arXiv 2505.15966), section 4.1. A whole-picture view, a bridge, the
zoom on the cue, a local view, the answer; before the right box there may be wrong ones,
with the words that recover from them. Wrong operations are shown, not trained.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pixel_core.config import PipelineConfig
from pixel_core.dialogue.calls import ZoomCall, format_call
from pixel_core.records import Annotation, Box, Cue, Trajectory, TrajectoryKind, Turn
from pixel_core.synthesis.boxes import Plane, TickBox, right_box, too_large_box, wrong_box
from pixel_core.synthesis.kinds import INSTEAD, KindPicker, allowed
from pixel_core.synthesis.texts import Texts

#: For annotations that name no subject, by style.
_NAMELESS = {"plain": "the part that the question is about", "terse": "the picture"}

#: Draws of a second wrong box that differs from the first.
_ATTEMPTS = 8


@dataclass(frozen=True)
class Written:
    """A trajectory, and the kind that was drawn for it: another one if it was impossible."""

    trajectory: Trajectory
    drawn: TrajectoryKind


class Writer:
    """Writes trajectories; the same one for a seed whatever else is in the dataset."""

    def __init__(self, config: PipelineConfig) -> None:
        self._settings = config.synthesize
        self._dialogue = config.dialogue
        self._picker = KindPicker(config.synthesize.kinds)
        self._texts = Texts(config.synthesize.templates)
        self._planes: dict[tuple[int, int], Plane] = {}

    def write(self, annotation: Annotation) -> Written:
        """Pick a kind, find its boxes (or fall back), and write the turns."""
        seed = annotation.seed
        rng = random.Random(f"{self._settings.seed}/{seed.id}")
        if not isinstance(annotation.cue, Cue):
            kind, boxes = TrajectoryKind.DIRECT, list[TickBox]()
            drawn = kind
        else:
            drawn = self._picker.pick(rng)
            kind, boxes = self._feasible(drawn, annotation, annotation.cue, rng)
        trajectory = Trajectory(
            id=f"{seed.id}:{kind}",
            seed_id=seed.id,
            kind=kind,
            turns=self._turns(kind, boxes, annotation, rng),
        )
        return Written(trajectory, drawn)

    def _feasible(
        self, kind: TrajectoryKind, annotation: Annotation, cue: Cue, rng: random.Random
    ) -> tuple[TrajectoryKind, list[TickBox]]:
        """The kind, or the nearest simpler one whose boxes exist, with those boxes."""
        pictures = annotation.seed.pictures
        while kind is not TrajectoryKind.DIRECT:
            if allowed(kind, len(pictures), self._dialogue):
                picture = pictures[cue.picture]
                plane = self._plane(picture.width, picture.height)
                boxes = self._boxes(kind, plane, cue.box, rng)
                if boxes is not None:
                    return kind, boxes
            kind = INSTEAD[kind]
        return kind, []

    def _plane(self, width: int, height: int) -> Plane:
        size = (width, height)
        if size not in self._planes:
            self._planes[size] = Plane.of(width, height, self._dialogue)
        return self._planes[size]

    def _boxes(
        self, kind: TrajectoryKind, plane: Plane, cue: Box, rng: random.Random
    ) -> list[TickBox] | None:
        """The boxes of all calls, the right one last; None if the kind is impossible."""
        right = right_box(plane, cue, self._settings.margin)
        if right is None:
            return None
        boxes: list[TickBox] = []
        if kind is TrajectoryKind.FURTHER_ZOOM:
            large = too_large_box(plane, cue, right, self._settings.too_large, rng)
            if large is None:
                return None
            boxes.append(large)
        wanted = {TrajectoryKind.RECROP_ONCE: 1, TrajectoryKind.RECROP_TWICE: 2}.get(kind, 0)
        for _ in range(_ATTEMPTS):
            if len(boxes) >= wanted:
                break
            wrong = wrong_box(plane, cue, right, rng)
            if wrong is not None and wrong not in boxes:
                boxes.append(wrong)
        return [*boxes, right] if len(boxes) >= wanted else None

    def _turns(
        self,
        kind: TrajectoryKind,
        boxes: list[TickBox],
        annotation: Annotation,
        rng: random.Random,
    ) -> tuple[Turn, ...]:
        seed, cue = annotation.seed, annotation.cue
        values = {
            "subject": seed.subject or _NAMELESS[self._settings.templates],
            "question": seed.question,
            "answer": seed.answers[0],
            "boxed": f"\\boxed{{{seed.answers[0]}}}",
            "whole_view": annotation.whole_view,
            "local_view": annotation.local_view,
            "at": "",
        }
        if not isinstance(cue, Cue):
            return (Turn(text=self._texts.write("direct", values, rng)),)
        picture = seed.pictures[cue.picture]
        plane = self._plane(picture.width, picture.height)
        if not boxes:
            right = right_box(plane, cue.box, self._settings.margin)
            values["at"] = _at(plane.written(right)) if right else ""
            return (Turn(text=self._texts.write("direct", values, rng)),)
        retry = "after_too_large" if kind is TrajectoryKind.FURTHER_ZOOM else "after_wrong"
        turns = []
        for place, box in enumerate(boxes):
            call = ZoomCall(box=plane.written(box), target=cue.picture + 1)
            values |= {"call": format_call(call, self._dialogue.zoom), "at": _at(call.box)}
            text = self._texts.write(retry if place else "first", values, rng)
            turns.append(Turn(text=text, trained=place == len(boxes) - 1))
        return (*turns, Turn(text=self._texts.write("final", values, rng)))


def _at(box: tuple[float, ...]) -> str:
    """The box's corner as words of a turn; templates may point before they act."""
    return f"{box[0]:g} {box[1]:g}"
