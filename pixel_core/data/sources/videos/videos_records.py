"""``questions.jsonl`` beside the videos: what is asked about which, strictly read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.manifest.question_file import question_rows
from pixel_core.data.sources.manifest.record import final_answers, parse_record
from pixel_core.records import Split

_EXAMPLE = '{"video": "a.mp4", "question": "...", "answer": "...", "start": 2.5, "end": 4}'
FIELDS = (
    *("video", "question", "answer", "answers", "choices", "start", "end"),
    *("id", "split", "subject", "kind"),
)

#: What a video is to be named by in a record.
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
    """Yield the sound records in their order; the faults of the others go to ``problems``.

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
    # The rest means what it means in a manifest, where "image" stands for the video.
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
