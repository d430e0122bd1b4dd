"""A question's frames, from a video file or a folder of frames.

One video is open at a time, with one decoded frame; a question's encoded frames take a few
megabytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.video import VideoFile

# Which frames of a video MVBench shows: the middle one of each of several equal parts.
#
# Source: ``get_index`` in the authors' notebook (github.com/OpenGVLab/Ask-Anything,
# video_chat2/mvbench.ipynb). Seconds become frames at the video's mean rate, rounded, the end
# no later than the last frame; part ``i`` of ``count`` shows the frame at start + size / 2 +
# round(size * i). With fewer frames than parts the notebook shows some twice; here each is
# shown once, since a call names frames by their numbers.


def sampled(
    count: int,
    *,
    last: int,
    rate: float,
    bounds: tuple[float, float] | None = None,
    first: int = 0,
) -> list[int]:
    """The frames to show, in ascending order, among ``first`` to ``last``.

    ``rate``: frames a second; ``bounds``: seconds of the part asked about, None for all.
    Raises ``ValueError`` if the part has no frame.
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


#: JPEG quality of stored frames. Without chroma subsampling, 95 looks the same as the decoded
#: frame; PNG takes three times the space.
JPEG_QUALITY = 95

_NUMBERED = re.compile(r"0*([1-9]\d{0,7})\.jpe?g", re.ASCII | re.IGNORECASE)

#: Seconds a question is about, from the video's start.
Bounds = tuple[float, float] | None


def frames_of_video(path: Path, name: str, count: int, bounds: Bounds) -> list[bytes]:
    """``count`` frames, or all if there are fewer, as JPEG. ``name`` appears in errors.

    Raises ``MediaError`` for an unreadable video, or one without a frame in ``bounds``.
    """
    video = VideoFile(path, name=name)
    rate = video.frame_count / video.duration_s
    wanted = _sampled(name, count, video.frame_count - 1, rate, bounds)
    return [_encoded(image) for _, image in video.frames(wanted)]


def frame_paths(
    folder: str, names: Sequence[str], rate: float, count: int, bounds: Bounds
) -> tuple[str, ...]:
    """Which files of a folder of frames to show; they are numbered from 1 (``00001.jpg``).

    ``names``: the folder's files; ``rate``: frames a second. Raises ``MediaError`` if the
    folder has no frames, none in ``bounds``, or a gap in the numbering.
    """
    found = {int(match[1]): name for name in names if (match := _NUMBERED.fullmatch(name))}
    if not found:
        raise MediaError(f"video {folder} has no frames named 00001.jpg and so on: fetch it")
    wanted = _sampled(folder, count, max(found), rate, bounds, first=1)
    missing = [number for number in wanted if number not in found]
    if missing:
        raise MediaError(
            f"video {folder} lacks the frames {missing} of {max(found)}: fetch it again"
        )
    return tuple(f"{folder}/{found[number]}" for number in wanted)


def _sampled(
    name: str, count: int, last: int, rate: float, bounds: Bounds, first: int = 0
) -> list[int]:
    try:
        return sampled(count, last=last, rate=rate, bounds=bounds, first=first)
    except ValueError as error:
        raise MediaError(f"video {name}: {error}: mend start and end") from error


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()
