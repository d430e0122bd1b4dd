"""One trajectory from one annotated seed: calls planned, turns written.

Source: Pixel Reasoner (arXiv 2505.15966), section 4.1. A view of the whole, a bridge, the
operation on the cue, a local view, the answer. Wrong operations may precede the right one,
with words that recover from them; they are shown, not trained.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from pixel_core.config import PipelineConfig
from pixel_core.data.leaks import leaks
from pixel_core.data.synthesis.given_words import (
    Replaced,
    answerable,
    given_words,
    spoken_answers,
    without_leaks,
)
from pixel_core.data.synthesis.kinds import INSTEAD, KindPicker, allowed
from pixel_core.data.synthesis.operations import FramePlanner, Operation, ZoomPlanner
from pixel_core.data.synthesis.wording import Style, Worded
from pixel_core.records import (
    Annotation,
    Cue,
    FrameCue,
    SecondLook,
    Trajectory,
    TrajectoryKind,
    Turn,
)
from pixel_core.rollout.tool_calls import format_call

#: Draws of a bridge whose wording does not happen to match the answer.
_ATTEMPTS = 8


class LeftOut(StrEnum):
    """Reasons for a seed without a trajectory; counted in the metrics."""

    UNASKED = "unasked"  #: nobody wrote a question on it
    UNANSWERABLE = "unanswerable"  #: its boxed answer would not be graded as right
    EASY = "easy"  #: answerable without a closer look, and the settings say drop


@dataclass(frozen=True)
class Written:
    """``drawn``: the drawn kind; differs from the one made if it was impossible.
    ``replaced``: rejected texts of the annotation and of the templates."""

    trajectory: Trajectory
    drawn: TrajectoryKind
    replaced: tuple[Replaced, ...] = ()


class TrajectoryWriter:
    """Writes trajectories; a seed's is the same whatever else is in the dataset."""

    def __init__(self, config: PipelineConfig) -> None:
        self._settings = config.synthesize
        self._dialogue = config.dialogue
        self._image_kinds = KindPicker(config.synthesize.kinds)
        self._video_kinds = KindPicker(config.synthesize.video_kinds)
        self._style = Style(config.synthesize.templates)
        self._zooms = ZoomPlanner(config.synthesize, config.dialogue)
        self._frames = FramePlanner(config.dialogue)

    def write(self, annotation: Annotation) -> Written | LeftOut:
        """Pick a kind, plan its calls (or fall back), and write the turns.

        ``DataError`` for a cue that its pictures do not have.
        """
        seed = annotation.seed
        easy = annotation.look is SecondLook.EASY
        if not seed.asks:
            return LeftOut.UNASKED
        if easy and self._settings.easy == "drop":
            return LeftOut.EASY
        if not answerable(seed):
            return LeftOut.UNANSWERABLE
        rng = random.Random(f"{self._settings.seed}/{seed.id}")
        if annotation.cue is None or (easy and self._settings.easy == "direct"):
            drawn = TrajectoryKind.DIRECT
        else:
            kinds = self._video_kinds if seed.is_video else self._image_kinds
            drawn = kinds.pick(rng)
        kind, operations = self._feasible(drawn, annotation, rng)
        turns, replaced = self._turns(kind, operations, annotation, rng)
        trajectory = Trajectory(
            id=f"{seed.id}:{kind}", seed_id=seed.id, kind=kind, turns=tuple(turns)
        )
        return Written(trajectory, drawn, tuple(replaced))

    def _feasible(
        self, kind: TrajectoryKind, annotation: Annotation, rng: random.Random
    ) -> tuple[TrajectoryKind, list[Operation]]:
        """The kind, or the nearest simpler one that is possible, with its operations."""
        while kind is not TrajectoryKind.DIRECT:
            if allowed(kind, self._dialogue):
                operations = self._plan(kind, annotation, rng)
                if operations is not None:
                    return kind, operations
            kind = INSTEAD[kind]
        return kind, []

    def _plan(
        self, kind: TrajectoryKind, annotation: Annotation, rng: random.Random
    ) -> list[Operation] | None:
        seed, cue = annotation.seed, annotation.cue
        if isinstance(cue, FrameCue):
            return self._frames.plan(kind, seed, cue, rng)
        assert cue is not None  # without one the kind is DIRECT
        return self._zooms.plan(kind, seed, cue, rng)

    def _turns(
        self,
        kind: TrajectoryKind,
        operations: list[Operation],
        annotation: Annotation,
        rng: random.Random,
    ) -> tuple[list[Turn], list[Replaced]]:
        seed = annotation.seed
        medium = "video" if seed.is_video else "picture"
        nameless = self._style.nameless[medium]
        given = given_words(annotation, nameless)
        values, replaced = dict(given.values), list(given.replaced)
        if not operations:
            values["at"] = self._pointing(annotation)
            return [Turn(text=self._style.write(medium, "direct", values, rng).text)], replaced
        secrets = spoken_answers(seed)
        retry = "after_too_large" if kind is TrajectoryKind.FURTHER_ZOOM else "after_wrong"
        turns = []
        for place, operation in enumerate(operations):
            values["call"] = format_call(
                operation.call, self._dialogue.zoom, self._dialogue.frames
            )
            values["at"] = operation.at
            worded = self._style.write(medium, retry if place else "first", values, rng)
            for _ in range(_ATTEMPTS):
                if not leaks(worded.prose, secrets):
                    break
                told = without_leaks(values, nameless, secrets)
                replaced += told or [Replaced.LEAKY_BRIDGE]
                worded = self._style.write(medium, retry if place else "first", values, rng)
            else:
                call = values["call"]
                worded = Worded(call, (0, len(call)), "")
                replaced.append(Replaced.WORDLESS)
            right = place == len(operations) - 1
            turns.append(
                Turn(text=worded.text, untrained=() if right else worded.untrained(self._style))
            )
        final = self._style.write(medium, "final", values, rng)
        return [*turns, Turn(text=final.text)], replaced

    def _pointing(self, annotation: Annotation) -> str:
        """Words for the cue's position, for an answer without an operation."""
        seed, cue = annotation.seed, annotation.cue
        if isinstance(cue, Cue):
            return self._zooms.pointing(seed, cue)
        return "" if cue is None else self._frames.pointing(seed, cue)
