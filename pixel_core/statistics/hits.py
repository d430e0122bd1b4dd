"""Whether an answer's last crop shows the evidence that it should be read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.records import Box, Cue, Step

#: A zoom hits when its box contains at least this share of the evidence's area.
HIT = 0.9


@dataclass(frozen=True)
class Evidence:
    """Where the evidence for a question is, and how many pictures the question shows."""

    cue: Cue
    pictures: int


def hit(steps: Sequence[Step], place: Evidence) -> bool | None:
    """Whether the last zoom of an episode shows the evidence; None without a zoom."""
    last = _last_zoom(steps, place.pictures)
    if last is None:
        return None
    picture, box = last
    return picture == place.cue.picture and _share(place.cue.box, box) >= HIT


def _last_zoom(steps: Sequence[Step], pictures: int) -> tuple[int, Box] | None:
    """The picture the last zoom is from, traced through crops, and its box there."""
    source = list(range(pictures))
    last = None
    for step in steps:
        if step.box is not None and step.picture is not None:
            source.append(source[step.picture])
            last = source[-1], step.box
    return last


def _share(cue: Box, box: Box) -> float:
    """The share of the cue's area inside the box."""
    width = min(cue.x2, box.x2) - max(cue.x1, box.x1)
    height = min(cue.y2, box.y2) - max(cue.y1, box.y1)
    return max(0, width) * max(0, height) / cue.area
