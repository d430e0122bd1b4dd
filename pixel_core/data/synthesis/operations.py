"""The calls of a trajectory: wrong ones first, the right one last.

A planner knows one operation. Given a kind it returns its calls, or None when the kind is
impossible for this seed: no room for a wrong call, or too many pictures for an episode.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from pixel_core.config import DialogueConfig, SynthesizeConfig
from pixel_core.data.synthesis.boxes import Plane, TickBox, right_box, too_large_box, wrong_box
from pixel_core.data.synthesis.kinds import OPERATIONS
from pixel_core.errors import DataError
from pixel_core.records import Cue, FrameCue, Seed, TrajectoryKind
from pixel_core.rollout.tool_calls import Call, SelectCall, ZoomCall

# Frames for video trajectories: with the evidence, and without it.


#: Distance of wrong frames from the cue's, where the video is long enough: the frame next
#: to an event often still shows it.
APART = 2


def right_frames(cue: FrameCue, most: int) -> tuple[int, ...]:
    """The cue's frames, 0-based; if over ``most``, evenly chosen, first and last kept."""
    frames = cue.frames
    if len(frames) <= most:
        return frames
    if most == 1:
        return (frames[len(frames) // 2],)
    last = len(frames) - 1
    return tuple(frames[round(place * last / (most - 1))] for place in range(most))


def wrong_frames(cue: FrameCue, total: int, most: int, rng: random.Random) -> tuple[int, ...]:
    """Up to ``most`` of a video's ``total`` frames, none of them the cue's; () if all are.

    Neighbouring frames, as a model looking at the wrong moment would choose; ``APART`` from
    every frame of the cue if there are such frames, else beside it.
    """
    if most < 1:
        return ()
    near = {frame + step for frame in cue.frames for step in range(1 - APART, APART)}
    places = [frame for frame in range(total) if frame not in near]
    if not places:
        places = sorted(set(range(total)) - set(cue.frames))
    count = min(most, len(places))
    start = rng.randint(0, len(places) - count)
    return tuple(places[start : start + count])


#: Draws of a second wrong box that differs from the first.
_ATTEMPTS = 8

_WRONG_BOXES = {TrajectoryKind.RECROP_ONCE: 1, TrajectoryKind.RECROP_TWICE: 2}


@dataclass(frozen=True)
class Operation:
    """A call, and words that point to it: the box's corner as shown, or the first frame.

    The words begin with a space, so that templates may point before the call.
    """

    call: Call
    at: str


class ZoomPlanner:
    """Boxes in the picture that holds the cue."""

    def __init__(self, synthesis: SynthesizeConfig, dialogue: DialogueConfig) -> None:
        self._settings = synthesis
        self._dialogue = dialogue
        # Bounded: a million photos may have as many sizes.
        self._plane = lru_cache(maxsize=1024)(self._new_plane)

    def plan(
        self, kind: TrajectoryKind, seed: Seed, cue: Cue, rng: random.Random
    ) -> list[Operation] | None:
        """``DataError`` for a cue in a picture that the seed does not have."""
        plane = self._plane_of(seed, cue)
        room = self._dialogue.max_pictures - len(seed.pictures)
        right = right_box(plane, cue.box, self._settings.margin)
        if right is None or OPERATIONS[kind] > room:
            return None
        boxes: list[TickBox] = []
        if kind is TrajectoryKind.FURTHER_ZOOM:
            large = too_large_box(plane, cue.box, right, self._settings.too_large, rng)
            if large is None:
                return None
            boxes.append(large)
        wanted = _WRONG_BOXES.get(kind, 0)
        for _ in range(_ATTEMPTS):
            if len(boxes) >= wanted:
                break
            wrong = wrong_box(plane, cue.box, right, rng)
            if wrong is not None and wrong not in boxes:
                boxes.append(wrong)
        if len(boxes) < wanted:
            return None
        return [self._operation(plane, box, cue) for box in (*boxes, right)]

    def pointing(self, seed: Seed, cue: Cue) -> str:
        """The position of the right box in words; "" if it can't be zoomed into."""
        plane = self._plane_of(seed, cue)
        right = right_box(plane, cue.box, self._settings.margin)
        return self._operation(plane, right, cue).at if right else ""

    def _operation(self, plane: Plane, box: TickBox, cue: Cue) -> Operation:
        written = plane.written(box)
        return Operation(ZoomCall(written, cue.picture + 1), f" {written[0]:g} {written[1]:g}")

    def _plane_of(self, seed: Seed, cue: Cue) -> Plane:
        if cue.picture >= len(seed.pictures):
            raise DataError(
                f"seed {seed.id}: its cue is in picture {cue.picture}, it has "
                f"{len(seed.pictures)} (counted from 0); annotate again"
            )
        picture = seed.pictures[cue.picture]
        if cue.box.x2 > picture.width or cue.box.y2 > picture.height:
            raise DataError(
                f"seed {seed.id}: its cue {cue.box.as_tuple()} reaches outside the picture of "
                f"{picture.width} x {picture.height} pixels; annotate again"
            )
        return self._plane(picture.width, picture.height)

    def _new_plane(self, width: int, height: int) -> Plane:
        return Plane.of(width, height, self._dialogue)


class FramePlanner:
    """Frames of a video."""

    def __init__(self, dialogue: DialogueConfig) -> None:
        self._dialogue = dialogue

    def plan(
        self, kind: TrajectoryKind, seed: Seed, cue: FrameCue, rng: random.Random
    ) -> list[Operation] | None:
        """``DataError`` for a cue with frames that the video does not have."""
        right = self._right(seed, cue)
        if not right:
            return None
        if kind is TrajectoryKind.SINGLE_PASS:
            return [_operation(right)]
        # In an episode every selected frame is a picture; the video itself is one too.
        room = self._dialogue.max_pictures - 1 - len(right)
        most = min(len(right), room)
        wrong = wrong_frames(cue, len(seed.pictures), most, rng)
        return [_operation(wrong), _operation(right)] if wrong else None

    def pointing(self, seed: Seed, cue: FrameCue) -> str:
        """The position of the evidence in words; "" if frames can't be selected."""
        right = self._right(seed, cue)
        return _operation(right).at if right else ""

    def _right(self, seed: Seed, cue: FrameCue) -> tuple[int, ...]:
        if cue.frames[-1] >= len(seed.pictures):
            raise DataError(
                f"seed {seed.id}: its cue names frame {cue.frames[-1]}, the video has "
                f"{len(seed.pictures)} (counted from 0); annotate again"
            )
        frames = self._dialogue.frames
        most = min(frames.max_frames, self._dialogue.max_pictures - 1)
        return right_frames(cue, most) if frames.enabled and most > 0 else ()


def _operation(frames: tuple[int, ...]) -> Operation:
    """Build a call from 0-based frames; calls count from 1."""
    numbers = tuple(frame + 1 for frame in frames)
    return Operation(SelectCall(numbers), f" {numbers[0]}")
