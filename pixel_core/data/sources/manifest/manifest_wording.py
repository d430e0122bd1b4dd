"""What pydantic finds wrong with a record's field, in a manifest's own words."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import ErrorDetails

from pixel_core.data.faults import Problems
from pixel_core.records import Split

#: Pictures of one question.
MAX_PICTURES = 16


def note(place: str, item: ErrorDetails, known: Sequence[str], problems: Problems) -> None:
    """One pydantic finding in the manifest's own words."""
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
