"""Videos with questions as a source, and the choice of the frames that a question shows.

The video is cut into as many equal parts as frames are wanted; each part shows the frame on
screen at its centre. A question with a time window also sees frames of the window, spread
evenly over the gaps that are left there, until it holds enough.
"""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from PIL import Image

from pixel_core.config import VideosConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.manifest.rows import QUESTIONS
from pixel_core.data.sources.source import FoundSeed
from pixel_core.data.sources.videos.questions import VideoEntries, VideoQuestion, read_entries
from pixel_core.errors import MediaError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.budget import check_shape
from pixel_core.media.frames import Timeline, even_frames
from pixel_core.media.video import VideoFile
from pixel_core.records import FrameCue, Picture, Provenance, Seed

#: Times that differ by less are equal: people write 33.333 for a third of a hundred.
_SAME_TIME_S = 1e-3


def frames_in(video: Timeline, start: float, end: float) -> range:
    """The frames that appear from ``start`` to ``end``, both included; if none does, the frame
    on screen at the window's middle."""
    first, last = video.index_at(start), video.index_at(end)
    if video.time_of(first) < start - _SAME_TIME_S:
        first += 1  # it appeared before the window
    if first > last:
        first = last = video.index_at((start + end) / 2)
    return range(first, last + 1)


def with_window(even: list[int], window: range, least: int) -> list[int]:
    """``even`` plus enough frames of ``window`` for it to hold ``least``, if it has them;
    increasing, without duplicates."""
    inside = even[bisect_left(even, window.start) : bisect_right(even, window.stop - 1)]
    gaps = list(pairwise([window.start - 1, *inside, window.stop]))
    added = [0] * len(gaps)
    for _ in range(min(least, len(window)) - len(inside)):
        # The gap in which frames would then be furthest apart; the earlier of equals.
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


# Videos with questions and the time window that answers each: STAR style.
#
# A seed shows some of the video's frames as pictures; the window's frames are its cue.


SOURCE = "videos"
KIND = "video"


class VideosSource:
    """A seed for every record, grouped by video in order of first mention. Records that
    share a video share a split. Each video is decoded once."""

    def __init__(self, config: VideosConfig) -> None:
        """Raises ``DataError`` if ``config.path`` is not a folder."""
        self._config = config
        self._folder = Folder(config.path, setting="ingest.videos.path")

    def fingerprint(self) -> dict[str, Any]:
        """The questions and the videos they name; other files of the folder do not count.

        Raises ``DataError`` with all faults of the records and their videos. Damage after a
        video's first frame is reported by ``seeds``.
        """
        listed = self._folder.find(QUESTIONS)
        entries = self._entries  # raises a clear error if there are no questions
        assert listed is not None
        videos = hashlib.sha256()
        for name in sorted(entries.facts):
            videos.update(f"{name}\0{entries.facts[name].sha256}\n".encode())
        return {
            "questions": self._folder.sha256(listed),
            "videos": videos.hexdigest(),
            "records": len(entries.spool),
        }

    def total(self) -> int:
        return len(self._entries.spool)

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Raises ``DataError`` with every undecodable video, after trying all."""
        spool = self._entries.spool
        problems = Problems(f"the videos in {self._folder.url!r}")
        for name in spool.videos():
            try:
                yield from self._seeds_of(name, archive)
            except MediaError as error:
                _, first = next(spool.about(name))
                fault = f"is not usable: {error}"
                problems.add(first.place, "video", name, fault, "replace it")
        problems.raise_if_any()

    def counts(self) -> dict[str, int]:
        """Nothing is left out."""
        return {}

    @cached_property
    def _entries(self) -> VideoEntries:
        return read_entries(self._folder, self._config.splits)

    def _seeds_of(self, name: str, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        about = self._entries.spool.about
        with self._folder.local(name) as path:
            video = VideoFile(path, name=name)
            even = even_frames(video, self._config.frames)
            wanted = {
                frame
                for _, question in about(name)
                for frame in self._chosen(video, even, question)[0]
            }
            stored = {
                frame: self._stored(image, archive) for frame, image in video.frames(wanted)
            }
        for number, question in about(name):
            frames, cue = self._chosen(video, even, question)
            pictures = [stored[frame] for frame in frames]
            seed = self._seed(question, number, pictures, cue)
            yield FoundSeed(seed, fixed=question.split is not None)

    def _chosen(
        self, video: VideoFile, even: list[int], question: VideoQuestion
    ) -> tuple[list[int], FrameCue | None]:
        """The question's frames of the video, and those of them in its window."""
        if question.window is None:
            return even, None
        window = frames_in(video, *question.window)
        frames = with_window(even, window, self._config.window_frames)
        inside = tuple(place for place, frame in enumerate(frames) if frame in window)
        return frames, FrameCue(frames=inside)

    def _stored(self, image: Image.Image, archive: PictureArchiveWriter) -> Picture:
        """A frame in the archive, named by its content: equal frames are stored once.

        JPEG without chroma subsampling: a video's frames were compressed before, and PNG
        takes three times the space. Raises ``MediaError`` for a frame that no model is
        shown.
        """
        check_shape(image.width, image.height)  # a frame's size may differ from the first one's
        out = io.BytesIO()
        image.save(out, "JPEG", quality=self._config.jpeg_quality, subsampling=0)
        data = out.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        member = f"{SOURCE}-{digest[:32]}.jpg"
        if member in archive:
            return Picture(member=member, width=image.width, height=image.height, sha256=digest)
        return archive.add(member, data, image.width, image.height)

    def _seed(
        self,
        question: VideoQuestion,
        number: int,
        pictures: Sequence[Picture],
        cue: FrameCue | None,
    ) -> Seed:
        entries = self._entries
        return Seed(
            id=entries.id(question),
            split=entries.split(number),
            question=question.question,
            answers=question.answers,
            choices=question.choices,
            pictures=tuple(pictures),
            is_video=True,
            cue=cue,
            subject=question.subject,
            kind=question.kind or KIND,
            provenance=Provenance(
                source=SOURCE,
                revision=self._config.revision,
                licence=self._config.licence,
                digest=entries.digest(question),
            ),
        )
