"""Videos: their facts, and exactly the frames that a player shows.

A frame is named by its index in presentation order, or by a time: then it is the one on screen
at that time, the last that appeared at or before it. Times are seconds after the first frame
appears. Nothing is guessed from a header: the packets' own times are read first (without
decoding), so a variable frame rate, reordered frames and files without a stated duration are
all handled alike. Then only what leads to a wanted frame is decoded.

Files are untrusted. Only containers that hold their own data are opened: playlists would open
other files, or URLs.
"""

from __future__ import annotations

import re
import statistics
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.deadline import NEVER, Deadline
from pixel_core.media.frames import upright
from pixel_core.media.video_end import VideoEnd
from pixel_core.media.video_playback import Playback, media_errors
from pixel_core.media.video_stream import begins_as_sound, is_sound_alone, video_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


# The duration that a file states: nothing else may show that a video was cut short.


#: The tag DURATION of a Matroska track as FFmpeg and mkvmerge write it.
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{1,12})?)", re.ASCII)


def stated_seconds(container: InputContainer, stream: VideoStream, start: float) -> float:
    """The longest duration that the file states, in seconds; 0 if it states none.

    ``start``: when the first frame appears. Streams made for live viewing, MPEG and GIF state
    nothing about their end.
    """
    told = [float(stream.duration * (stream.time_base or 0)) if stream.duration else 0.0]
    if "matroska" in container.format.name:
        told.append(_tagged(stream.metadata.get("DURATION", "")) - start)
        # The whole file's duration may be that of its sound.
        if len(container.streams) == 1:
            told.append((container.duration or 0) / 1_000_000 - start)
    if container.format.name == "avi" and stream.average_rate:
        told.append(float(stream.frames / stream.average_rate))
    return max(told)


def _tagged(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


#: Demuxers of common containers, by FFmpeg's names.
CONTAINERS = ("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg")
_FORMATS = (*CONTAINERS, "gif")

_SOUND = (
    "has no video that can be decoded, it is sound alone (a cover is no video)",
    "give a file with moving pictures",
)

#: Times closer than this are equal; a microsecond is far below any frame's duration.
_SAME_TIME_S = 1e-6


@dataclass(frozen=True)
class VideoLimits:
    """Limits checked before anything is decoded."""

    bytes: int = 8 << 30
    #: Of one frame; 8K video has 33 million.
    pixels: int = 36_000_000
    seconds: float = 4 * 3600
    frames: int = 2_000_000


class VideoFile:
    """A video's facts and frames. Opening it reads the whole file, but decodes nothing.

    ``name`` names it in errors (default: the path). Raises ``MediaError`` if the file is
    missing, damaged, not a video, cut short, or beyond ``limits``, and ``TimedOut``, now or
    while frames are read, once ``deadline`` has passed.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str = "",
        limits: VideoLimits = VideoLimits(),
        deadline: Deadline = NEVER,
    ) -> None:
        self.path = path
        self.name = name or str(path)
        self._limits = limits
        self._deadline = deadline
        #: Presentation times in the stream's own units, increasing.
        self._pts = array("q")
        self._keys: list[int] = []
        self._check_size()
        self._end = VideoEnd.told_by(path, self.name, deadline)
        with self._opened() as (container, stream):
            #: Pixels of a stored frame, before rotation.
            self.width, self.height = stream.width, stream.height
            self._check_header(container, stream)
            self._time_base = stream.time_base or Fraction(1)
            self._read_times(container, stream)

    @property
    def frame_count(self) -> int:
        return len(self._pts)

    @property
    def duration_s(self) -> float:
        """From the first frame's appearance to the last one's end."""
        return float((self._pts[-1] + self._last - self._pts[0]) * self._time_base)

    def time_of(self, index: int) -> float:
        """When frame ``index`` (0-based) appears, in seconds."""
        return float((self._pts[index] - self._pts[0]) * self._time_base)

    def index_at(self, seconds: float) -> int:
        """The frame shown at a time; the first before the beginning, the last after the end."""
        units = Fraction(seconds + _SAME_TIME_S) / self._time_base
        return max(0, bisect_right(self._pts, self._pts[0] + units) - 1)

    def frames_at(self, seconds: Iterable[float]) -> list[Image.Image]:
        """The frame shown at each of these times, in their order: RGB, upright."""
        indices = [self.index_at(time) for time in seconds]
        found = dict(self.frames(indices))
        return [found[index] for index in indices]

    def frames(self, indices: Iterable[int]) -> Iterator[tuple[int, Image.Image]]:
        """Yield (index, frame) in increasing order, each once: RGB, upright.

        Holds one frame at a time. Raises ``MediaError`` if the video is damaged, and
        ``IndexError`` for a frame that it does not have.
        """
        wanted = sorted(set(indices))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.frame_count:
            raise IndexError(f"video {self.name} has the frames 0 to {self.frame_count - 1}")
        playback = Playback(self._opened, self._keys, self.name, self._deadline)
        try:
            for index in wanted:
                frame, pts = playback.frame_at(self._pts[index])
                # Interlaced fields have a packet each, so the previous one may be meant.
                if frame.is_corrupt or pts < self._pts[max(0, index - 1)]:
                    self._refuse(f"is damaged at {self.time_of(index):.2f} s")
                with media_errors(self.name):
                    picture = upright(frame, playback.pixel_shape, self._limits.pixels)
                yield index, picture
        finally:
            playback.close()

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        import av

        with media_errors(self.name):
            container = av.open(
                f"file:{self.path.absolute()}",
                mode="r",
                options={
                    "format_whitelist": ",".join(_FORMATS),
                    "protocol_whitelist": "file",
                },
                metadata_errors="replace",
            )
            with container:
                stream = video_of(container)
                if stream is None and is_sound_alone(container):
                    self._refuse(*_SOUND)
                if stream is None or stream.codec_context is None:
                    self._refuse("has no video that can be decoded")
                # The decoder's own limit: a frame may be larger than the header says.
                stream.codec_context.options = {"max_pixels": str(self._limits.pixels)}
                yield container, stream

    def _check_size(self) -> None:
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise MediaError(
                f"video {self.name} can't be opened ({error.strerror}): check its path"
            ) from error
        if size == 0:
            raise MediaError(f"video {self.name} is empty: fetch or export it again")
        if size > self._limits.bytes:
            raise MediaError(
                f"video {self.name} has {size:,} bytes, allowed are {self._limits.bytes:,}: "
                "cut it, or encode it smaller"
            )
        try:
            with self.path.open("rb") as file:
                head = file.read(16)
        except OSError:  # reported when it is opened
            return
        if begins_as_sound(head):
            self._refuse(*_SOUND)

    def _check_header(self, container: InputContainer, stream: VideoStream) -> None:
        if self.width * self.height > self._limits.pixels:
            raise MediaError(
                f"video {self.name} has frames of {self.width} x {self.height} pixels, allowed "
                f"are {self._limits.pixels:,}: encode it smaller"
            )
        self._check_duration((container.duration or 0) / 1_000_000)

    def _check_duration(self, seconds: float) -> None:
        if seconds > self._limits.seconds:
            raise MediaError(
                f"video {self.name} lasts {seconds:,.0f} s, allowed are "
                f"{self._limits.seconds:,.0f}: cut it into shorter ones"
            )

    def _read_times(self, container: InputContainer, stream: VideoStream) -> None:
        """Fill in presentation times and key frames from the packets."""
        times: dict[int, int] = {}
        for packet in container.demux(stream):
            self._deadline.check()
            if not packet.size or packet.is_discard:
                continue
            pts = packet.pts if packet.pts is not None else packet.dts
            if pts is None:
                self._refuse("has frames without a time", "convert it to MP4")
            times[pts] = packet.duration or 0
            if packet.is_keyframe:
                self._keys.append(pts)
            if len(times) > self._limits.frames:
                self._refuse(f"has over {self._limits.frames:,} frames", "cut it")
        if not times:
            self._refuse("has no frames")
        self._pts.extend(sorted(times))
        self._keys.sort()
        self._last = times[self._pts[-1]] or self._usual_gap(stream)
        self._check_duration(self.duration_s)
        stated = stated_seconds(container, stream, float(self._pts[0] * self._time_base))
        if stated - self.duration_s > max(1.0, 0.05 * stated):
            self._refuse(f"states {stated:.1f} s but has only {self.duration_s:.1f} s")
        end_s = float((self._pts[-1] + self._last) * self._time_base)
        self._end.check(container, stream, end_s, float(self._last * self._time_base))

    def _usual_gap(self, stream: VideoStream) -> int:
        """The assumed duration of the last frame, which the packets do not state."""
        if len(self._pts) > 1:
            return int(statistics.median_low(b - a for a, b in pairwise(self._pts)))
        rate = stream.average_rate or Fraction(25)
        return max(1, round(1 / (rate * self._time_base)))

    def _refuse(self, fault: str, remedy: str = "fetch or export it again") -> NoReturn:
        raise MediaError(f"video {self.name} {fault}: {remedy}")
