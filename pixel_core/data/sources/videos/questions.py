"""The records of a folder of videos with their videos and splits, checked together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pixel_core.config import SplitShares
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.splits import SPLITS, SplitBook, settle
from pixel_core.data.sources.videos.videos_facts import VideoFacts, video_facts
from pixel_core.data.sources.videos.videos_records import VideoQuestion, read_questions
from pixel_core.data.sources.videos.videos_spool import QuestionSpool
from pixel_core.records import Split

#: How far a window may reach beyond the video's end: people round to half seconds.
OVERHANG_S = 0.5


@dataclass(frozen=True, slots=True)
class VideoEntries:
    """Records in which nothing is wrong; ``facts`` by the videos' names."""

    spool: QuestionSpool
    facts: dict[str, VideoFacts]
    _splits: bytearray

    def split(self, number: int) -> Split:
        """Of a record, by its place among all."""
        return SPLITS[self._splits[number]]

    def digest(self, question: VideoQuestion) -> str:
        """Hexadecimal, over what is asked and the video's file."""
        return _digest(question, self.facts[question.video])

    def id(self, question: VideoQuestion) -> str:
        return question.id or _derived_id(question, self.facts[question.video])


def read_entries(folder: Folder, shares: SplitShares) -> VideoEntries:
    """Check all records and every video they name. Raises ``DataError`` with everything
    that is wrong, a video's own fault told once."""
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
                # Videos of the same content stand together.
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
