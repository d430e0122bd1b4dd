"""Checked questions on disk, to be read again video by video."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from pixel_core.data.sources.videos.videos_records import VideoQuestion


class QuestionSpool:
    """Holds the videos' names in memory, of the questions nothing. They lie in a database
    without a name, which is gone when it is closed or forgotten."""

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
        """The videos that are asked about, in the order in which they first are."""
        return iter(self._videos)

    def about(self, video: str) -> Iterator[tuple[int, VideoQuestion]]:
        """The questions on a video, with their place among all (from 0), in order."""
        found = self._database.execute(
            "SELECT number, body FROM questions WHERE video = ? ORDER BY number",
            (self._videos[video],),
        )
        for number, body in found:
            yield number, VideoQuestion.model_validate_json(body)
