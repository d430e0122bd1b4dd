"""Detects a video file that was cut short, as far as the file itself shows it.

It uses what containers state about their own size, whatever the frames: an MP4 or MOV's boxes
and indexes, a Matroska segment's size, an AVI's. So a partial file is refused before its frames
are taken for a shorter video. A file that states nothing about its end is accepted: a
fragmented MP4 without index or duration that ends between two fragments could be a live
recording, and so could MPEG streams, OGG, FLV and GIF.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pixel_core.errors import MediaError
from pixel_core.media.deadline import Deadline
from pixel_core.media.video_boxes import MAX_READS, Mp4Boxes, TooManyBoxes, read_boxes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: The first box of an MP4 or MOV file is one of these.
_FIRST = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"wide", b"pnot")
)

#: Some complete AVI files misstate their size by their own 8 bytes, and the padding byte.
_AVI_SLACK = 16

#: Durations of fragments are rounded, and start where reordering put the first frame.
_SLACK_S = 0.25


@dataclass(frozen=True)
class VideoEnd:
    """A file's statements about its end, to compare with the frames found in it.

    ``size``: of the file, in bytes. ``fragments_s``: seconds of all fragments; 0 if not
    stated, or if an index already shows that all are there. ``stated_s``: as ``fragments_s``,
    from less exact headers.
    """

    name: str
    size: int
    fragmented: bool = False
    fragments_s: float = 0.0
    stated_s: float = 0.0

    @classmethod
    def told_by(cls, path: Path, name: str, deadline: Deadline) -> Self:
        """Read it. Raises ``MediaError``, naming the video ``name``, if bytes are missing;
        ``TimedOut`` once ``deadline`` has passed."""
        boxes = Mp4Boxes()
        try:
            with path.open("rb", buffering=0) as file:
                size = path.stat().st_size
                start = file.read(4096)
                if start[4:8] in _FIRST:
                    boxes = read_boxes(file, size, deadline)
                    fault = _mp4_fault(boxes, size)
                else:
                    fault = _matroska_fault(start, size) or _avi_fault(start, size)
        except TooManyBoxes:
            raise MediaError(
                f"video {name} has over {MAX_READS:,} boxes and entries of indexes: write it "
                "anew, as with `ffmpeg -i OLD -c copy NEW.mp4`"
            ) from None
        except OSError as error:
            raise MediaError(
                f"video {name} can't be read ({error.strerror}): check its path"
            ) from error
        if fault:
            raise _cut_short(name, fault)
        if not boxes.fragmented or boxes.heads > 1 or _shown_whole(boxes):
            return cls(name, size, boxes.fragmented)
        return cls(name, size, True, boxes.fragments_s, boxes.stated_s)

    def check(
        self, container: InputContainer, stream: VideoStream, end_s: float, frame_s: float
    ) -> None:
        """Compare with a file that was demuxed to its end. Raises ``MediaError`` if frames
        are missing.

        ``end_s``: the end of the video's last frame, which lasts ``frame_s`` seconds.
        """
        if "mov" not in container.format.name:
            return
        # In an unfragmented file another track may have its data in another file.
        streams = container.streams if self.fragmented else [stream]
        entries = (entry for one in streams for entry in one.index_entries)
        reach = max((entry.pos + entry.size for entry in entries), default=0)
        if reach > self.size:
            raise _cut_short(
                self.name, f"its frames take {reach:,} bytes, the file has {self.size:,}"
            )
        # The header's durations are those of the longest track.
        for one in container.streams:
            if len(one.index_entries):
                begun = float(one.index_entries[-1].timestamp * (one.time_base or 0))
                end_s = max(end_s, begun + frame_s)
        for stated, slack in (
            (self.fragments_s, max(_SLACK_S, 2 * frame_s)),
            (self.stated_s, max(1.0, 0.05 * self.stated_s)),
        ):
            if stated - end_s > slack:
                raise _cut_short(
                    self.name, f"it states {stated:.2f} s, its fragments reach {end_s:.2f} s"
                )


def _cut_short(name: str, fault: str) -> MediaError:
    return MediaError(
        f"video {name} is cut short: {fault}; fetch or export it again, or, if this is all "
        "there is of it, write it anew, as with `ffmpeg -i OLD -c copy NEW`"
    )


def _mp4_fault(boxes: Mp4Boxes, size: int) -> str:
    last = boxes.last
    if last is None:
        return ""
    # A complete unfragmented file may have anything after its indexed data, as some cameras'
    # do; so may a fragmented one after its index, which is its last box.
    matters = boxes.before != b"mfra" if boxes.fragmented else last.kind in (b"moov", b"mdat")
    if last.end > size and matters:
        kind = last.kind.decode("ascii", "backslashreplace")
        return (
            f"its box {kind!r} at byte {last.start:,} ends at byte {last.end:,}, the file "
            f"at {size:,}"
        )
    if boxes.fragmented and boxes.stray is not None and last.kind != b"mfra":
        return f"the {size - boxes.stray:,} bytes from byte {boxes.stray:,} on are no box"
    if boxes.indexed_to > size:
        return f"its index names {boxes.indexed_to:,} bytes, the file has {size:,}"
    # If no position is right, the index is another file's, or older than an edit.
    there = set(boxes.fragments)
    lost = [place for place in boxes.listed if place not in there]
    if lost and len(lost) < len(boxes.listed) and boxes.heads == 1:
        return f"its index names a fragment at byte {lost[0]:,}, where none begins"
    return ""


def _shown_whole(boxes: Mp4Boxes) -> bool:
    """Whether an index shows that all fragments are there: then durations do not count; they
    may be those of a track in another file.

    An index in front of each fragment covers that one only.
    """
    foretold = len(boxes.fragments) > 1 and boxes.foretold_to > boxes.fragments[-1]
    return foretold or bool(boxes.listed)


def _matroska_fault(start: bytes, size: int) -> str:
    """The segment follows the EBML head; in a live recording its size is unknown."""
    if start[:4] != b"\x1a\x45\xdf\xa3":
        return ""
    head = _vint(start, 4)
    if head is None:
        return ""
    at = head[0] + head[1]
    if start[at : at + 4] != b"\x18\x53\x80\x67" or (body := _vint(start, at + 4)) is None:
        return ""
    end = sum(body)
    return f"its segment ends at byte {end:,}, the file at {size:,}" if end > size else ""


def _vint(data: bytes, at: int) -> tuple[int, int] | None:
    """The end of an EBML size field and its value; None if it is missing, or says that the
    size is unknown."""
    width = 9 - data[at].bit_length() if at < len(data) else 9
    if width > 8 or at + width > len(data):
        return None
    bits = (1 << 7 * width) - 1
    value = int.from_bytes(data[at : at + width], "big") & bits
    return None if value == bits else (at + width, value)


def _avi_fault(start: bytes, size: int) -> str:
    if start[:4] != b"RIFF" or start[8:12] != b"AVI ":
        return ""
    end = 8 + int.from_bytes(start[4:8], "little")
    if end <= size + _AVI_SLACK or end == 8 + 0xFFFF_FFFF:
        return ""
    return f"its first part ends at byte {end:,}, the file at {size:,}"
