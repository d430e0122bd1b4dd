"""The records of a folder of videos, checked together with their videos and splits."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.manifest.record import final_answers, parse_record
from pixel_core.data.sources.manifest.rows import question_rows
from pixel_core.data.sources.splits import SPLITS, SplitBook, settle
from pixel_core.errors import DataError, MediaError
from pixel_core.media.budget import check_shape
from pixel_core.media.video import VideoFile
from pixel_core.records import Split
from pixel_core.workflow.store.local_storage import file_content

# The facts about a video: its content and its length.


#: Raised when the meaning of the cached facts changes.
_KIND = "video/3"


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """``fault`` is "" for a usable video; otherwise the other fields mean nothing."""

    sha256: str = ""
    duration_s: float = 0.0
    fault: str = ""
    remedy: str = ""


def video_facts(folder: Folder, name: str) -> VideoFacts:
    """Read a video through and decode its first frame, unless the facts are cached and the
    file is unchanged. Raises ``StorageError``."""
    try:
        listed = folder.find(name)
    except DataError as error:
        return VideoFacts(fault=f"is refused: {error}", remedy="name a file of the folder")
    if listed is None:
        return VideoFacts(
            fault=f"is not in {folder.url!r}", remedy="put the video there, or mend its name"
        )
    known = folder.memory.get(_KIND, folder.url, listed)
    if known is not None:
        return VideoFacts(**json.loads(known))
    try:
        with folder.local(name) as path:
            video = VideoFile(path, name=name)
            (first,) = video.frames_at([0])
            check_shape(first.width, first.height)
            facts = VideoFacts(file_content(path).sha256, video.duration_s)
    except (DataError, MediaError) as error:
        return VideoFacts(
            fault=f"is not usable: {error}", remedy="replace it, or leave its records out"
        )
    folder.memory.put(_KIND, folder.url, listed, json.dumps(asdict(facts)))
    return facts


# ``questions.jsonl`` beside the videos: strictly parsed questions about them.


_EXAMPLE = '{"video": "a.mp4", "question": "...", "answer": "...", "start": 2.5, "end": 4}'
FIELDS = (
    *("video", "question", "answer", "answers", "choices", "start", "end"),
    *("id", "split", "subject", "kind"),
)

#: How a record must name its video.
_NAME = "give its path inside the folder, as a string"
_SECONDS = "write seconds from the video's beginning, as a number"


class VideoQuestion(BaseModel):
    """A checked record. ``window``: seconds from the first frame, start before end."""

    model_config = ConfigDict(frozen=True)

    place: str
    video: str
    question: str
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    choices: tuple[str, ...]
    window: tuple[float, float] | None
    subject: str
    kind: str
    id: str | None
    split: Split | None


def read_questions(folder: Folder, problems: Problems) -> Iterator[VideoQuestion]:
    """Yield the valid records in order; the faults of the others go to ``problems``.

    Raises ``DataError`` as ``question_rows``.
    """
    for row in question_rows(folder, problems, _EXAMPLE):
        question = row.fields and _parsed(row.place, row.fields, problems)
        if question:
            yield question


def _parsed(place: str, fields: dict[str, Any], problems: Problems) -> VideoQuestion | None:
    before = problems.count
    for name in fields:
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            problems.add(place, name, fields[name], "is an unknown field", f"known: {known}")
    video = fields.get("video")
    if not isinstance(video, str) or not video.strip():
        state = "is missing" if video is None else "names no video"
        problems.add(place, "video", video, state, _NAME)
    window = _window(place, fields.get("start"), fields.get("end"), problems)
    # The other fields mean what they do in a manifest; the video takes the place of "image".
    shared = {name: fields[name] for name in fields if name in FIELDS}
    for own in ("video", "start", "end"):
        shared.pop(own, None)
    record = parse_record(place, {**shared, "image": "video"}, problems)
    if record is None or problems.count > before:
        return None
    assert isinstance(video, str)  # else a problem was added
    return VideoQuestion(
        place=place,
        video=video,
        question=record.question.strip(),
        answers=final_answers(record),
        choices=tuple(choice.strip() for choice in record.choices or ()),
        window=window,
        subject=(record.subject or "").strip(),
        kind=(record.kind or "").strip(),
        id=record.id,
        split=record.split,
    )


def _window(place: str, start: Any, end: Any, problems: Problems) -> tuple[float, float] | None:
    """None without a window, or after a fault was noted."""
    if start is None and end is None:
        return None
    sound = True
    for name, value in (("start", start), ("end", end)):
        if value is None:
            problems.add(place, name, value, "is missing", 'give both "start" and "end"')
            sound = False
        elif type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            problems.add(place, name, value, "is no time", _SECONDS)
            sound = False
    if not sound:
        return None
    if start >= end:
        problems.add(place, "end", end, f"is not after the start {start}", "mend the window")
        return None
    return float(start), float(end)


# Checked questions on disk, read again video by video.


class QuestionSpool:
    """Keeps only the videos' names in memory. The questions are in an anonymous temporary
    database, which vanishes when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.executescript(
            "PRAGMA journal_mode = OFF;"
            "CREATE TABLE questions (video INTEGER, number INTEGER, body TEXT,"
            " PRIMARY KEY (video, number)) WITHOUT ROWID"
        )
        self._videos: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, question: VideoQuestion) -> None:
        video = self._videos.setdefault(question.video, len(self._videos))
        row = (video, self._count, question.model_dump_json())
        self._database.execute("INSERT INTO questions VALUES (?, ?, ?)", row)
        self._count += 1

    def videos(self) -> Iterator[str]:
        """The videos with questions, in order of first mention."""
        return iter(self._videos)

    def about(self, video: str) -> Iterator[tuple[int, VideoQuestion]]:
        """The questions on a video, with their index among all (from 0), in order."""
        found = self._database.execute(
            "SELECT number, body FROM questions WHERE video = ? ORDER BY number",
            (self._videos[video],),
        )
        for number, body in found:
            yield number, VideoQuestion.model_validate_json(body)


#: How far a window may reach beyond the video's end: people round to half seconds.
OVERHANG_S = 0.5


@dataclass(frozen=True, slots=True)
class VideoEntries:
    """Valid records; ``facts`` by the videos' names."""

    spool: QuestionSpool
    facts: dict[str, VideoFacts]
    _splits: bytearray

    def split(self, number: int) -> Split:
        """The split of a record, by its index among all."""
        return SPLITS[self._splits[number]]

    def digest(self, question: VideoQuestion) -> str:
        """Hexadecimal, over the question and the video's file."""
        return _digest(question, self.facts[question.video])

    def id(self, question: VideoQuestion) -> str:
        return question.id or _derived_id(question, self.facts[question.video])


def read_entries(folder: Folder, shares: SplitShares) -> VideoEntries:
    """Check all records and every video they name. Raises ``DataError`` with every fault,
    a video's own fault reported once."""
    problems = Problems(f"the videos in {folder.url!r}")
    spool = QuestionSpool()
    facts: dict[str, VideoFacts] = {}
    try:
        with SplitBook(shares) as book:
            for question in read_questions(folder, problems):
                if question.video not in facts:
                    facts[question.video] = video_facts(folder, question.video)
                    _note_video(question, facts[question.video], problems)
                known = facts[question.video]
                if known.fault:
                    continue
                _check_window(question, known, problems)
                id = question.id or _derived_id(question, known)
                # Videos with the same content share a split.
                book.add(id, question.place, (known.sha256,), question.split)
                spool.add(question)
            splits = settle(book, problems, "video")
    finally:
        folder.memory.flush()
    problems.raise_if_any()
    return VideoEntries(spool, facts, splits)


def _note_video(question: VideoQuestion, facts: VideoFacts, problems: Problems) -> None:
    if facts.fault:
        problems.add(question.place, "video", question.video, facts.fault, facts.remedy)


def _check_window(question: VideoQuestion, facts: VideoFacts, problems: Problems) -> None:
    if question.window is None:
        return
    for name, time in zip(("start", "end"), question.window, strict=True):
        limit = facts.duration_s + (OVERHANG_S if name == "end" else 0)
        if time > limit:
            problems.add(
                question.place,
                name,
                time,
                f"is after the end of {question.video}, which lasts {facts.duration_s:.2f} s",
                "give seconds from the video's beginning",
            )
            return


def _digest(question: VideoQuestion, facts: VideoFacts) -> str:
    content = [
        question.question,
        question.answers,
        question.choices,
        question.window,
        facts.sha256,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _derived_id(question: VideoQuestion, facts: VideoFacts) -> str:
    return f"videos-{_digest(question, facts)[:24]}"
