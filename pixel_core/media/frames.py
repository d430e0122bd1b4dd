"""Frames spread evenly over a video.

The video is cut into as many equal parts as frames are wanted; of each part the frame that
is on the screen at its centre is taken.
"""

from __future__ import annotations

from typing import Protocol


class Timeline(Protocol):
    """What of a ``VideoFile`` matters here; indices are 0-based, times are seconds."""

    @property
    def frame_count(self) -> int: ...

    @property
    def duration_s(self) -> float: ...

    def index_at(self, seconds: float) -> int: ...

    def time_of(self, index: int) -> float: ...


def even_frames(video: Timeline, count: int) -> list[int]:
    """At the centres of ``count`` equal parts, increasing; fewer when the video has fewer."""
    if video.frame_count <= count:
        return list(range(video.frame_count))
    part = video.duration_s / count
    return sorted({video.index_at((number + 0.5) * part) for number in range(count)})
