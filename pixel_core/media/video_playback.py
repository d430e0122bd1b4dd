"""Decodes forward through a video, skipping ahead by key frames where that saves work."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

from pixel_core.errors import MediaError
from pixel_core.media.deadline import NEVER, Deadline

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: Plain Python errors that PyAV raises when a file's values make no sense.
_PLAIN = (OSError, ValueError, LookupError, OverflowError, EOFError, MemoryError)


@contextmanager
def media_errors(name: str) -> Iterator[None]:
    """Converts errors of FFmpeg and PyAV on a bad file to a ``MediaError`` with its name."""
    import av

    try:
        yield
    except (av.FFmpegError, *_PLAIN) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError(
            f"video {name} can't be read ({why}): it must be MP4, MOV, WebM, MKV, AVI, MPEG, "
            "FLV, WMV, OGG or GIF, and complete"
        ) from error


class Playback:
    """Frames at increasing presentation times, each decoded at most once.

    ``opened`` opens the file; ``keys`` are the key frames' times, increasing. Raises
    ``TimedOut`` between two packets once ``deadline`` has passed.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[tuple[InputContainer, VideoStream]]],
        keys: Sequence[int],
        name: str,
        deadline: Deadline = NEVER,
    ) -> None:
        self._deadline = deadline
        self._opened = opened
        self._keys = keys
        self._name = name
        self._stack = ExitStack()
        self._can_skip = True
        self._start()

    def close(self) -> None:
        self._stack.close()

    @property
    def pixel_shape(self) -> Fraction:
        """A pixel's width over its height."""
        return self._stream.sample_aspect_ratio or Fraction(1)

    def frame_at(self, pts: int) -> tuple[VideoFrame, int]:
        """The last frame that appears at or before ``pts``, and when; times must not
        decrease."""
        if self._shown is not None and self._time(self._shown) == pts:
            return self._shown, pts
        with media_errors(self._name):
            key = self._key_before(pts)
            if self._can_skip and key > self._position:
                self._skip_to(key)
            self._go_on_to(pts)
        if self._shown is None:
            raise MediaError(
                f"video {self._name} begins with frames that can't be decoded: fetch or "
                "export it again"
            )
        return self._shown, self._time(self._shown)

    def _start(self) -> None:
        """Reopen the file and start from the beginning."""
        self._stack.close()
        self._container, self._stream = self._stack.enter_context(self._opened())
        self._frames = self._decoded()
        self._shown: VideoFrame | None = None
        #: Decoded already, but later than any requested time.
        self._next: VideoFrame | None = None
        #: Up to here skipping ahead gains nothing.
        self._position = self._keys[0] if self._keys else 0

    def _key_before(self, pts: int) -> int:
        place = bisect_right(self._keys, pts)
        return self._keys[place - 1] if place else pts - 1

    def _skip_to(self, key: int) -> None:
        """Seek to a key frame; if the container can't, decode from the start.

        Frames before the key frame may refer to skipped ones: they are dropped. In broadcast
        streams seeking is by decoding time and lands after a key frame; seeking to the previous
        one lands before it.
        """
        for sought in (key, self._key_before(key - 1)):
            if self._has_skipped(sought, key):
                return
        self._can_skip = False
        self._start()

    def _has_skipped(self, sought: int, key: int) -> bool:
        import av

        self._shown = None
        try:
            self._container.seek(sought, stream=self._stream)
            self._frames = self._decoded()
            self._next = next((f for f in self._frames if self._time(f) >= key), None)
        except av.FFmpegError:  # the start of these frames was skipped, or seeking failed
            return False
        return self._next is not None and self._time(self._next) == key

    def _go_on_to(self, pts: int) -> None:
        while (frame := self._next or next(self._frames, None)) is not None:
            time = self._time(frame)
            self._next = frame if time > pts else None
            self._position = max(self._position, time)
            if time > pts:
                return
            self._shown = frame
            if time == pts:
                return

    def _decoded(self) -> Iterator[VideoFrame]:
        """All frames from the container's current position."""
        for packet in self._container.demux(self._stream):
            self._deadline.check()
            yield from packet.decode()

    def _time(self, frame: VideoFrame) -> int:
        time = frame.pts if frame.pts is not None else frame.dts
        if time is None:
            raise MediaError(f"video {self._name} has frames without a time: convert it to MP4")
        return time
