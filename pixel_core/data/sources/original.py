"""Converts records as Pixel Reasoner's authors published them to a manifest's fields.

Their evaluation files are in the format ``pixel_reasoner_rl`` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pixel_core.config.manifest import RecordFormat
from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.rows import ManifestRow
from pixel_core.nesting import loads
from pixel_core.rewards.boxed_answers import listed_answers
from pixel_core.rewards.grading import extract_boxed

# PixelReasoner-RL-Data and the evaluation files: question, image, answer, is_video, qid.
#
# ``image`` lists paths (of a video: of its frames), ``answer`` the accepted answers, each
# with or without its ``\boxed{}``, and ``qid`` begins with its benchmark's name. Choices
# stand inside the question and stay there.


#: The position of the pictures; we show them before the question.
_PLACEHOLDER = re.compile(r"<(?:image|video)>[ \t]*\n?")


def rl_fields(place: str, row: dict[str, Any], problems: Problems) -> dict[str, Any] | None:
    """A manifest's fields; the row's other keys are ignored."""
    answers = listed_answers(row.get("answer"))
    fields: dict[str, Any] = {
        "question": without_placeholders(row.get("question")),
        "images": _listed(row.get("image")),
        # A value without answers is left for the record's own check.
        "answers": row.get("answer") if answers is None else answers,
        "is_video": row.get("is_video"),
    }
    qid = row.get("qid")
    if isinstance(qid, str) and qid:
        fields |= {"id": qid, "kind": qid.partition("-")[0]}
    missing = [name for name in ("question", "image", "answer") if row.get(name) is None]
    for name in missing:
        remedy = "check that this is a file of the format pixel_reasoner_rl"
        problems.add(place, name, None, "is missing", remedy)
    return None if missing else fields


def without_placeholders(text: Any) -> Any:
    """The question's text; any other type is left for the record's own check."""
    return _PLACEHOLDER.sub("", text).strip() if isinstance(text, str) else text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# PixelReasoner-SFT-Data: trajectories as ``message_list``, read for their questions.
#
# The first user turn has the pictures, or a video's frames, and the question followed by
# guidelines; the last assistant turn has the answer in ``\boxed{}``. Several trajectories
# on one question make one seed. (The trajectories themselves are imported elsewhere.)


#: The original's appendix to a question begins with one of these and asks for a box.
_APPENDED = ("Guidelines:", "Please reason step by step")
_ASKS_FOR_BOX = "\\boxed"

_FORMAT = "check that this is a file of the format pixel_reasoner_sft"


class _Part(BaseModel):
    """A part of a turn; other keys ("type") are ignored."""

    model_config = ConfigDict(strict=True)

    text: str | None = None
    image: str | None = None
    video: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, value: object) -> object:
        """``datasets`` returns parts with different keys as JSON texts."""
        if not isinstance(value, str):
            return value
        try:
            found = loads(value)
        except ValueError:
            return {"text": value}
        return found if isinstance(found, dict) else {"text": value}


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: str
    content: str | list[_Part]

    def parts(self) -> list[_Part]:
        if isinstance(self.content, str):
            return [_Part(text=self.content)]
        return self.content

    def text(self) -> str:
        return "\n".join(part.text for part in self.parts() if part.text)


class _Messages(BaseModel):
    message_list: list[_Message]


def sft_fields(place: str, row: dict[str, Any], problems: Problems) -> dict[str, Any] | None:
    """A manifest's fields; None after a fault was noted."""

    def fault(text: str, remedy: str = _FORMAT) -> dict[str, Any] | None:
        problems.add(place, "message_list", row.get("message_list"), text, remedy)
        return None

    try:
        messages = _messages(row.get("message_list"))
    except (ValidationError, ValueError) as error:
        return fault(f"is no list of messages ({_first(error)})")
    asked = next((message for message in messages if message.role == "user"), None)
    answered = next((m for m in reversed(messages) if m.role == "assistant"), None)
    if asked is None or answered is None:
        return fault("has no user turn, or no assistant turn")
    answer = extract_boxed(answered.text())
    if not answer:
        return fault("ends without an answer in \\boxed{}", "leave the record out")
    images = [part.image for part in asked.parts() if part.image is not None]
    frames = [frame for part in asked.parts() for frame in part.video or ()]
    if bool(images) == bool(frames):
        return fault("has neither pictures nor a video, or both", "leave the record out")
    return {
        "question": question_of(asked.text()),
        "images": images or frames,
        "answers": [answer],
        "is_video": bool(frames),
    }


def question_of(text: str) -> str:
    """The question of a first turn, without the guidelines after it."""
    box = text.rfind(_ASKS_FOR_BOX)
    begins = max((text.rfind(words, 0, box) for words in _APPENDED), default=-1)
    if box >= 0 and begins >= 0:
        text = text[:begins]
    question = without_placeholders(text)
    assert isinstance(question, str)
    return question


def _messages(value: Any) -> list[_Message]:
    if isinstance(value, str):
        value = loads(value)
    return _Messages.model_validate({"message_list": value}).message_list


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


#: Each takes (place, fields, problems); None after a fault was noted.
_READERS: dict[
    RecordFormat, Callable[[str, dict[str, Any], Problems], dict[str, Any] | None]
] = {"pixel_reasoner_sft": sft_fields, "pixel_reasoner_rl": rl_fields}


def converted(
    rows: Iterator[ManifestRow], format: RecordFormat, problems: Problems
) -> Iterator[ManifestRow]:
    """The rows in a manifest's fields; ``fields`` is None for a row not in the format."""
    read = _READERS.get(format)
    if read is None:
        yield from rows
        return
    for row in rows:
        if row.fields is None:
            yield row
            continue
        fields = read(row.place, row.fields, problems)
        yield ManifestRow(row.place, fields, row.embedded)


def has_repeats(format: RecordFormat) -> bool:
    """Whether to expect several records on one question: trajectories."""
    return format == "pixel_reasoner_sft"
