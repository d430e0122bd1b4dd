"""The schema of one manifest record, and the wording of its faults."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pixel_core.data.faults import Problems
from pixel_core.records import Box, FrameCue, Split
from pixel_core.rewards.boxed_answers import holds_box, unboxed
from pixel_core.rewards.grading import extract_boxed

# Translates pydantic's findings into a manifest's own terms.


#: Pictures of one question.
MAX_PICTURES = 16


def note(place: str, item: ErrorDetails, known: Sequence[str], problems: Problems) -> None:
    """Report one pydantic finding in the manifest's own terms."""
    location = [str(part) for part in item["loc"] if not str(part).startswith("function-")]
    field = ".".join(location)
    if item["type"] == "extra_forbidden":
        problems.add(
            place, field, item["input"], "is an unknown field", f"known: {', '.join(known)}"
        )
    elif item["type"] == "missing":
        problems.add(place, field, None, "is missing", f"give {field!r}")
    else:
        message = item["msg"][:1].lower() + item["msg"][1:]
        remedy = _EXPECTED.get(location[0], "mend it") if location else "mend it"
        problems.add(place, field, item["input"], f"is wrong: {message}", remedy)


_EXPECTED = {
    "id": "write a string of 1 to 200 characters",
    "image": "write a path inside the pictures folder, as a string",
    "images": f"write a list of 1 to {MAX_PICTURES} paths inside the pictures folder",
    "question": "write a string",
    "answer": 'write a string, numbers too ("7")',
    "answers": 'write a list of strings, numbers too (["7"])',
    "choices": "write a list of 2 to 26 strings",
    "box": "write [x1, y1, x2, y2], pixels of the original picture",
    "boxes": "write a list of [x1, y1, x2, y2], pixels of the original picture",
    "is_video": "write true or false",
    "frames": "write a list of numbers of images, from 0",
    "subject": "write a string",
    "kind": "write a string",
    "split": f"write one of {', '.join(Split)}",
}


MAX_TEXT = 4000

#: Text that a chat template or the call parser would parse as structure.
STRUCTURE = re.compile(r"<\|[^|<>]*\|>|</?tool_(call|response)>|\\boxed")

#: Frames of a video.
MAX_FRAMES = 64

Index = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Numbers = Annotated[list[float], Field(min_length=4, max_length=4)]


class ManifestRecord(BaseModel):
    """The fields of a record as they are written; null means absent.

    Exactly one of ``image`` and ``images``, and of ``answer`` and ``answers``; at most one
    of ``box`` and ``boxes``. Boxes are pixels of the first picture; of several, the cue is
    the smallest box around all, because one zoom has to show the evidence. With
    ``is_video`` the images are a video's frames, and ``frames`` (from 0) those with the
    evidence.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    image: Text | None = None
    images: Annotated[list[Text], Field(min_length=1, max_length=MAX_FRAMES)] | None = None
    question: Text
    answer: Text | None = None
    answers: Annotated[list[Text], Field(min_length=1)] | None = None
    choices: Annotated[list[Text], Field(max_length=26)] | None = None
    box: Numbers | None = None
    boxes: list[Numbers] | None = None
    is_video: bool | None = None
    frames: Annotated[list[Index], Field(min_length=1, max_length=MAX_FRAMES)] | None = None
    subject: Text | None = None
    kind: Text | None = None
    split: Annotated[Split, Field(strict=False)] | None = None

    def picture_paths(self) -> list[str]:
        return [self.image] if self.image is not None else list(self.images or ())

    def all_boxes(self) -> list[list[float]]:
        return [self.box] if self.box is not None else list(self.boxes or ())

    def written_answers(self) -> list[str]:
        return [self.answer] if self.answer is not None else list(self.answers or ())


FIELDS = tuple(ManifestRecord.model_fields)


def parse_record(
    place: str, fields: dict[str, Any], problems: Problems
) -> ManifestRecord | None:
    """The record, or None after every fault in it was noted."""
    before = problems.count
    try:
        record = _unboxed(ManifestRecord.model_validate(fields))
    except ValidationError as error:
        for item in error.errors():
            note(place, item, FIELDS, problems)
        return None
    for one, many in (("image", "images"), ("answer", "answers")):
        given = [name for name in (one, many) if getattr(record, name) is not None]
        if not given:
            problems.add(place, one, None, "is missing", f"give {one!r} or {many!r}")
        elif len(given) == 2:
            problems.add(place, many, fields[many], f"stands beside {one!r}", "keep one")
    if record.box is not None and record.boxes is not None:
        problems.add(place, "boxes", fields["boxes"], "stands beside 'box'", "keep one")
    if record.id is not None and not record.id.isprintable():
        remedy = "use letters, digits and signs that can be seen"
        problems.add(place, "id", record.id, "has signs that can't be printed", remedy)
    _check_frames(place, record, problems)
    _check_texts(place, record, problems)
    _check_choices(place, record, problems)
    return record if problems.count == before else None


def _unboxed(record: ManifestRecord) -> ManifestRecord:
    """The record with its answers unboxed; the same object if none is boxed."""
    answer = None if record.answer is None else unboxed(record.answer)
    answers = None if record.answers is None else [unboxed(one) for one in record.answers]
    return record.model_copy(update={"answer": answer, "answers": answers})


def cue_box(
    place: str, record: ManifestRecord, size: tuple[int, int], problems: Problems
) -> Box | None:
    """The box around all boxes of the record, in whole pixels (rounded outwards).

    ``size`` is the (width, height) of the first picture. None without boxes, or after a
    fault was noted.
    """
    width, height = size
    field = "box" if record.box is not None else "boxes"
    boxes = record.all_boxes()
    before = problems.count
    for box in boxes:
        x1, y1, x2, y2 = box
        if not all(math.isfinite(value) for value in box):
            problems.add(place, field, box, "has a number that is not finite", "mend it")
        elif max(box) <= 1 and any(value != int(value) for value in box):
            problems.add(
                place,
                field,
                box,
                "looks normalised",
                f"give pixels of the picture: x up to {width}, y up to {height}",
            )
        elif x1 >= x2 or y1 >= y2:
            problems.add(
                place, field, box, "is empty", "write [x1, y1, x2, y2] with x1 < x2, y1 < y2"
            )
        elif x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            problems.add(
                place,
                field,
                box,
                f"reaches outside the picture of {width}x{height} pixels",
                "give pixels of the original picture as [x1, y1, x2, y2]",
            )
    if not boxes or problems.count > before:
        return None
    return Box(
        x1=math.floor(min(box[0] for box in boxes)),
        y1=math.floor(min(box[1] for box in boxes)),
        x2=math.ceil(max(box[2] for box in boxes)),
        y2=math.ceil(max(box[3] for box in boxes)),
    )


def frame_cue(record: ManifestRecord) -> FrameCue | None:
    """The frames with the evidence, increasing; None if none are named."""
    return FrameCue(frames=tuple(sorted(set(record.frames)))) if record.frames else None


def final_answers(record: ManifestRecord) -> tuple[str, ...]:
    """The answers; a choice's letter is replaced by the choice's text."""
    choices = [choice.strip() for choice in record.choices or ()]
    answers = [answer.strip() for answer in record.written_answers()]
    return tuple(
        choices[_letter(answer, choices)] if _is_letter(answer, choices) else answer
        for answer in answers
    )


def _check_frames(place: str, record: ManifestRecord, problems: Problems) -> None:
    count = len(record.picture_paths())
    if not record.is_video:
        if record.frames is not None:
            problems.add(
                place, "frames", record.frames, "are of no video", 'add "is_video": true'
            )
        if count > MAX_PICTURES:
            problems.add(
                place,
                "images",
                f"{count} pictures",
                "are too many",
                f'give at most {MAX_PICTURES}; a video\'s frames need "is_video": true',
            )
        return
    if record.all_boxes():
        field = "box" if record.box is not None else "boxes"
        remedy = 'name the frames: "frames": [0]'
        problems.add(place, field, record.all_boxes(), "is in a video", remedy)
    outside = [frame for frame in record.frames or () if frame >= count]
    if outside:
        problems.add(
            place, "frames", outside, f"are not among the {count} images", "count from 0"
        )


def _check_texts(place: str, record: ManifestRecord, problems: Problems) -> None:
    texts: list[tuple[str, str, bool]] = [
        ("question", record.question, True),
        ("subject", record.subject or "", False),
        ("kind", record.kind or "", False),
    ]
    texts += [("answer", answer, True) for answer in record.written_answers()]
    texts += [("choices", choice, True) for choice in record.choices or ()]
    texts += [("image", path, True) for path in record.picture_paths()]
    for field, text, needed in texts:
        if needed and not text.strip():
            problems.add(place, field, text, "is empty", "write it, or leave the record out")
        if (found := STRUCTURE.search(text)) and not (field == "answer" and holds_box(text)):
            problems.add(
                place,
                field,
                text,
                f"contains {found.group()!r}, which the dialogue reserves",
                "remove it",
            )
    for answer in record.written_answers():
        if holds_box(answer):
            told = "has a box that never closes, or several that differ"
            problems.add(place, "answer", answer, told, "write the answer alone")
        elif answer.strip() and extract_boxed(f"\\boxed{{{answer}}}") != answer.strip():
            problems.add(
                place,
                "answer",
                answer,
                "can't be read back from \\boxed{}",
                "shorten it, and match its braces",
            )


def _check_choices(place: str, record: ManifestRecord, problems: Problems) -> None:
    if not record.choices:
        return
    choices = [choice.strip() for choice in record.choices]
    folded = [choice.casefold() for choice in choices]
    if len(choices) == 1 or len(set(folded)) < len(folded):
        problems.add(place, "choices", record.choices, "are not different", "give two or more")
    for answer in record.written_answers():
        known = answer.strip().casefold() in folded or _is_letter(answer.strip(), choices)
        if answer.strip() and not known:
            problems.add(
                place,
                "answer",
                answer,
                "is none of the choices",
                f"write one of {choices} or its letter",
            )


def _is_letter(answer: str, choices: Sequence[str]) -> bool:
    """Whether the answer names a choice by its letter (and is not itself a choice)."""
    if answer.casefold() in [choice.casefold() for choice in choices]:
        return False
    return len(answer) == 1 and 0 <= _letter(answer, choices) < len(choices)


def _letter(answer: str, choices: Sequence[str]) -> int:
    return ord(answer.upper()) - ord("A") if answer.isascii() else -1
