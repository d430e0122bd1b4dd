"""Which of a video's frames a question shows.

The video is cut into as many equal parts as frames are wanted; of each part the frame that
is on the screen at its centre is shown. A question with a window of time also sees frames
of the window, spread evenly over the gaps that are left there, until it holds enough.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from pixel_core.media.frames import Timeline

#: Times that differ by less are one: people write 33.333 for a third of a hundred.
_SAME_TIME_S = 1e-3


def frames_in(video: Timeline, start: float, end: float) -> range:
    """The frames that appear from ``start`` to ``end``, both included; in a window in which
    none does, the one that is on the screen at its middle."""
    first, last = video.index_at(start), video.index_at(end)
    if video.time_of(first) < start - _SAME_TIME_S:
        first += 1  # it appeared before the window
    if first > last:
        first = last = video.index_at((start + end) / 2)
    return range(first, last + 1)


def with_window(even: list[int], window: range, least: int) -> list[int]:
    """``even`` and as many frames of ``window`` as make it hold ``least``, if it has them;
    increasing, none twice."""
    inside = even[bisect_left(even, window.start) : bisect_right(even, window.stop - 1)]
    gaps = list(pairwise([window.start - 1, *inside, window.stop]))
    added = [0] * len(gaps)
    for _ in range(min(least, len(window)) - len(inside)):
        # Where frames would then stand furthest apart; the earlier of equals.
        apart = [
            (gap[1] - gap[0]) / (count + 1) for gap, count in zip(gaps, added, strict=True)
        ]
        added[apart.index(max(apart))] += 1
    new = (
        left + (place + 1) * (right - left) // (count + 1)
        for (left, right), count in zip(gaps, added, strict=True)
        for place in range(count)
    )
    return sorted({*even, *new})
