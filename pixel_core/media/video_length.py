"""How long a file says that its video is: whether one was cut short shows in nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: As the tag DURATION of a Matroska track is written by FFmpeg and mkvmerge.
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{1,12})?)", re.ASCII)


def stated_seconds(container: InputContainer, stream: VideoStream, start: float) -> float:
    """The longest that the file says, in seconds; 0 where it says nothing.

    ``start``: when the first frame appears. Streams that were made to be watched live, MPEG
    and GIF say nothing of how they end.
    """
    told = [float(stream.duration * (stream.time_base or 0)) if stream.duration else 0.0]
    if "matroska" in container.format.name:
        told.append(_tagged(stream.metadata.get("DURATION", "")) - start)
        # The whole file's length may be that of its sound.
        if len(container.streams) == 1:
            told.append((container.duration or 0) / 1_000_000 - start)
    if container.format.name == "avi" and stream.average_rate:
        told.append(float(stream.frames / stream.average_rate))
    return max(told)


def _tagged(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
