"""MVBench as its authors publish it: ``json/<task>.json`` and one folder of videos a source.

Both branches of huggingface.co/datasets/OpenGVLab/MVBench can be read. In ``main`` the videos
are whole, below ``video/`` or in zips there; five tasks give the seconds they ask about, and
one has folders of frames instead of videos. In ``video`` those parts are already cut out, so
their seconds no longer apply, and there are no folders of frames. A question shows ``frames``
frames of its part (``video_clips.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError, MediaError
from pixel_core.evaluation.benchmarks.mvbench_tasks import FRAMES_RATE, POSE, TASKS, MVBenchTask
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import json_list
from pixel_core.evaluation.benchmarks.video_clips import Bounds, frame_paths, frames_of_video
from pixel_core.media.picture_files import MediaFiles, PictureFile, embedded
from pixel_core.media.picture_zip import PictureFault

# The questions of one MVBench task: ``json/<task>.json``, read strictly.
#
# A file is a list of objects with ``video``, ``question``, ``candidates`` and ``answer`` (the
# text of one of the candidates); tasks about a part of a video add ``start`` and ``end``, in
# seconds. Other fields (``accurate_start``, ``subtitle`` ...) are not read.


#: Most characters of a question, and of a candidate.
MAX_TEXT = 4000

#: Longer than any video that is opened.
_MAX_SECONDS = 1e6

_MEND = "fetch the file again, or mend it"


@dataclass(frozen=True)
class MVBenchRow:
    #: "action_count.json, entry 7", counted from 1.
    place: str
    video: str
    question: str
    candidates: tuple[str, ...]
    #: Which candidate is the answer, 0-based.
    key: int
    #: None: all of the video.
    bounds: Bounds


def read_rows(path: Path, problems: Problems, *, bounded: bool) -> Iterator[MVBenchRow]:
    """Yield the valid questions; faults go to ``problems``. ``bounded``: each must give the
    start and end of its part. Raises ``DataError`` if the file is not a list of questions.
    """
    for place, fields in json_list(path, problems):
        row = _row(place, fields, problems, bounded)
        if row is not None:
            yield row


def _row(
    place: str, fields: dict[str, Any], problems: Problems, bounded: bool
) -> MVBenchRow | None:
    before = problems.count
    texts: dict[str, str] = {}
    for name in ("video", "question", "answer"):
        text = _text(fields.get(name))
        texts[name] = text
        if not 0 < len(text) <= MAX_TEXT:
            problems.add(place, name, fields.get(name), "is no text", _MEND)
    candidates = _candidates(fields.get("candidates"))
    if len(candidates) < 2:
        state = "are not at least two different options"
        problems.add(place, "candidates", fields.get("candidates"), state, _MEND)
    elif texts["answer"] and candidates.count(texts["answer"]) != 1:
        problems.add(
            place, "answer", texts["answer"], "is not exactly one of the candidates", _MEND
        )
    bounds = _bounds(place, fields, problems) if bounded else None
    if problems.count > before:
        return None
    key = candidates.index(texts["answer"])
    return MVBenchRow(place, texts["video"], texts["question"], candidates, key, bounds)


def _text(value: Any) -> str:
    """Numbers become text: some options are counts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _candidates(value: Any) -> tuple[str, ...]:
    """The candidates; () unless all are texts, at least two differ, and letters suffice."""
    options = tuple(map(_text, value)) if isinstance(value, list) else ()
    sound = all(0 < len(option) <= MAX_TEXT for option in options) and len(options) <= 26
    return options if sound and len(set(options)) > 1 else ()


def _bounds(place: str, fields: dict[str, Any], problems: Problems) -> Bounds:
    times = []
    for name in ("start", "end"):
        value: Any = fields.get(name)
        if type(value) not in (int, float) or not 0 <= value <= _MAX_SECONDS:
            problems.add(place, name, value, "is no time in seconds", _MEND)
            return None
        times.append(float(value))
    start, end = times
    if start > end:
        problems.add(place, "end", end, f"is before the start {start}", _MEND)
        return None
    return start, end


#: Where the branch ``main`` keeps the videos that replaced duplicates, apart from the others
#: (lmms-eval 0.7.3, tasks/mvbench/utils.py).
_REPLACED = "data0613"


@dataclass(frozen=True)
class ClipBounds:
    """The part of a video file that a question is about."""

    bounds: Bounds


class MVBenchReader:
    """See ``reading.Reader``. A task whose file is missing has no questions, which the counts
    reveal."""

    #: Decoding videos takes long.
    parallel = True

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._tables = {
            task: path
            for task in TASKS
            if (path := copy.root / "json" / f"{task}.json").is_file()
        }
        if not self._tables:
            raise DataError(
                f"there is no question of MVBench in {str(copy.root)!r}: it needs the files "
                "json/action_sequence.json and so on, beside the folders of videos; set "
                "benchmarks.mvbench.local to a copy of OpenGVLab/MVBench"
            )
        videos = copy.root / "video"
        #: Whether parts must still be cut out of whole videos.
        self._whole = videos.is_dir()
        self.media: MediaFiles = _Videos(
            videos if self._whole else copy.root,
            setting="benchmarks.mvbench.local",
            links=copy.links,
        )
        self._frames = settings.frames

    def tables(self) -> Sequence[Path]:
        return list(self._tables.values())

    def items(self, problems: Problems) -> Iterator[Item]:
        for name, path in self._tables.items():
            # Seconds no longer apply to a part that is already cut out.
            bounded = self._whole and TASKS[name].bounded
            for row in read_rows(path, problems, bounded=bounded):
                try:
                    paths, part = self._needed(TASKS[name], row)
                except (PictureFault, MediaError) as error:
                    problems.add(row.place, "video", row.video, str(error), "replace it")
                    continue
                yield Item(
                    # The entry's index in its file: nothing else is unique.
                    id=f"mvbench-{name}-{row.place.rpartition(' ')[2]}",
                    place=row.place,
                    question=row.question,
                    choices=row.candidates,
                    key=row.key,
                    kind=name,
                    is_video=True,
                    paths=paths,
                    detail=part,
                )

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        if item.detail is None:  # the frames are files
            return files
        try:
            with self.media.local(files[0]) as path:
                frames = frames_of_video(path, item.paths[0], self._frames, item.detail.bounds)
        except MediaError as error:
            raise PictureFault(f"is not usable: {error}", "replace it") from error
        return [embedded(frame, "frame.jpg") for frame in frames]

    def _needed(
        self, task: MVBenchTask, row: MVBenchRow
    ) -> tuple[tuple[str, ...], ClipBounds | None]:
        """A question's files, below ``media``, and its bounds; None if the files are frames."""
        folder = task.whole if self._whole else task.cut
        path = f"{folder}/{row.video}"
        if self._whole and (names := self.media.names_in(path)):
            return frame_paths(path, names, FRAMES_RATE, self._frames, row.bounds), None
        apart = f"{_REPLACED}/{path}"
        if not self._has(path) and self._has(apart):
            path = apart
        return (path,), ClipBounds(row.bounds)

    def _has(self, path: str) -> bool:
        try:
            self.media.find(path)
        except PictureFault:
            return False
        return True


class _Videos(MediaFiles):
    """Explains how to get NTU RGB+D's videos, which no download of ``main`` contains."""

    def find(self, written: str) -> PictureFile:
        try:
            return super().find(written)
        except PictureFault as fault:
            if not written.startswith(f"{TASKS[POSE].whole}/"):
                raise
            raise PictureFault(
                fault.fault,
                "NTU RGB+D's licence keeps it out of the dataset: ask for it at "
                "https://rose1.ntu.edu.sg/dataset/actionRecognition, the 320 videos are listed "
                "in video/MVBench_videos_ntu.txt and belong into video/nturgbd/; or take the "
                "dataset's branch `video`, which has them converted; or go on without the task "
                f"{POSE} by benchmarks.mvbench.incomplete",
            ) from fault
