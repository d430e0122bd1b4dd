"""The questions of one of MVBench's tasks: ``json/<task>.json``, strictly read.

A file is a list of objects with ``video``, ``question``, ``candidates`` and ``answer`` (the
text of one of the candidates); tasks about a part of a video add ``start`` and ``end``, in
seconds. Other fields (``accurate_start``, ``subtitle`` ...) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.data.faults import Problems
from pixel_core.evaluation.benchmarks.tables import json_list
from pixel_core.evaluation.benchmarks.video_clips import Bounds

#: Of a question, and of a candidate.
MAX_TEXT = 4000

#: No video that is opened is as long.
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
    """Yield the sound questions; faults go to ``problems``. ``bounded``: each must say from
    when to when its part is. Raises ``DataError`` for a file that holds no list of questions.
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
    """A number stands for itself: some options are counts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _candidates(value: Any) -> tuple[str, ...]:
    """() unless all are texts, in which one letter can stand for each."""
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
