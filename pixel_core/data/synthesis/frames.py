"""Frames for video trajectories: those that hold the evidence, and those that do not."""

from __future__ import annotations

import random

from pixel_core.records import FrameCue

#: Wrong frames keep this far from the cue's, where the video has such frames: the frame
#: next to an event often shows it still.
APART = 2


def right_frames(cue: FrameCue, most: int) -> tuple[int, ...]:
    """The cue's frames, 0-based; at most ``most``, then evenly chosen, first and last kept."""
    frames = cue.frames
    if len(frames) <= most:
        return frames
    if most == 1:
        return (frames[len(frames) // 2],)
    last = len(frames) - 1
    return tuple(frames[round(place * last / (most - 1))] for place in range(most))


def wrong_frames(cue: FrameCue, total: int, most: int, rng: random.Random) -> tuple[int, ...]:
    """Up to ``most`` of a video's ``total`` frames, none of them the cue's; () if all are.

    A run of neighbours, as a model that looks at the wrong moment would choose; ``APART``
    from every frame of the cue if there are such frames, beside it if there are none.
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
