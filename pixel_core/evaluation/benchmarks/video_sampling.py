"""Which frames of a video MVBench shows: one in the middle of each of equal parts.

Source: ``get_index`` in the authors' notebook (github.com/OpenGVLab/Ask-Anything,
video_chat2/mvbench.ipynb). A part of time becomes frames at the video's mean rate, rounded,
the end no later than the last frame; part ``i`` of ``count`` shows the frame at
start + size / 2 + round(size * i). Where there are fewer frames than parts the notebook
shows some twice; here each is shown once, since a call names frames by their numbers.
"""

from __future__ import annotations

from itertools import pairwise


def sampled(
    count: int,
    *,
    last: int,
    rate: float,
    bounds: tuple[float, float] | None = None,
    first: int = 0,
) -> list[int]:
    """The frames to show, increasing, of those numbered ``first`` to ``last``.

    ``rate``: frames a second; ``bounds``: seconds of the part asked about, None for all.
    Raises ``ValueError`` for a part in which there is no frame.
    """
    start, end = first, last
    if bounds is not None:
        start, end = max(first, round(bounds[0] * rate)), min(round(bounds[1] * rate), last)
    if not first <= start <= end:
        raise ValueError(
            f"the part from {bounds[0]:g} s to {bounds[1]:g} s has none of its frames, "
            f"{first} to {last} at {rate:g} a second"
            if bounds
            else f"there is no frame from {first} to {last}"
        )
    size = (end - start) / count
    frames = [int(start + size / 2 + round(size * part)) for part in range(count)]
    return [frames[0], *(later for one, later in pairwise(frames) if later != one)]
