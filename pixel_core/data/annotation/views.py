"""What is shown of a seed: all of it, or its cue alone; large, or as small as at first."""

from __future__ import annotations

import math
from typing import Any

from pixel_core.data.annotation.requests import PictureView
from pixel_core.records import Box, Cue, FrameCue, Picture, Seed

#: A video's frames get this part of a picture's pixels each: 500 visual tokens of 2000, and
#: 128 of 512 when they are shown small, as in the dialogue.
FRAME_PART = 4
#: Around a cue that is shown alone, on each side, as a share of the cue's side.
MARGIN = 0.1


def whole(seed: Seed, max_pixels: int) -> tuple[PictureView, ...]:
    """Every picture, or every frame, of the seed."""
    pixels = _each(seed, max_pixels)
    return tuple(PictureView(picture, pixels) for picture in seed.pictures)


def cue_alone(seed: Seed, cue: Cue | FrameCue, max_pixels: int) -> tuple[PictureView, ...]:
    """The cue's region with a margin, or the cue's frames."""
    pixels = _each(seed, max_pixels)
    if isinstance(cue, FrameCue):
        return tuple(PictureView(seed.pictures[frame], pixels) for frame in cue.frames)
    picture = seed.pictures[cue.picture]
    return (PictureView(picture, pixels, _wider(cue.box, picture)),)


def content(views: tuple[PictureView, ...], text: str, *, frames: bool) -> list[dict[str, Any]]:
    """A message's parts: the views, numbered from 1 if there are several, then the text."""
    parts: list[dict[str, Any]] = []
    for number in range(len(views)):
        if len(views) > 1 or frames:
            label = f"{'Frame' if frames else 'Picture'} {number + 1}:"
            parts.append({"type": "text", "text": label})
        parts.append({"type": "view", "view": number})
    return [*parts, {"type": "text", "text": text}]


def _each(seed: Seed, max_pixels: int) -> int:
    return max(1, max_pixels // FRAME_PART) if seed.is_video else max_pixels


def _wider(box: Box, picture: Picture) -> Box:
    across = math.ceil((box.x2 - box.x1) * MARGIN)
    down = math.ceil((box.y2 - box.y1) * MARGIN)
    return Box(
        x1=max(0, box.x1 - across),
        y1=max(0, box.y1 - down),
        x2=min(picture.width, box.x2 + across),
        y2=min(picture.height, box.y2 + down),
    )
