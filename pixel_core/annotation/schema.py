"""What an annotating model is asked for, and how its untrusted answer becomes a cue."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixel_core.records import Box, Cue, Picture

#: A box with at least this share of the picture's area is the whole picture.
WHOLE = 0.9
#: How far a coordinate may leave 0..1 and still be pulled back to the edge.
SLACK = 0.05
#: Characters of a text that goes into a trajectory; longer ones are refused.
MAX_TEXT = 800
MAX_SUBJECT = 120

#: What the dialogue would take for structure, or reads as a final answer.
_STRUCTURE = re.compile(r"<\|[^|<>]*\|>|</?tool_(call|response)>|\\boxed")


class AnnotatorAnswer(BaseModel):
    """The structured answer, as the model is told to give it. Bounds are checked by us:
    strict structured output knows no numeric bounds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    valid: bool
    picture: int
    box: Annotated[list[float], Field(max_length=64)]
    subject: str
    whole_view: str
    local_view: str


class Unusable(Exception):
    """An answer that can't be used; the text tells the model what was wrong with it."""


class Located(BaseModel):
    """A usable answer. ``cue`` None: the evidence is the picture as a whole."""

    model_config = ConfigDict(frozen=True)

    cue: Cue | None
    subject: str
    whole_view: str
    local_view: str
    #: The box was put in order, or pulled back to the picture's edge.
    repaired: bool


def response_format() -> dict[str, Any]:
    """The ``response_format`` of a request: strict JSON schema of ``AnnotatorAnswer``."""
    schema = AnnotatorAnswer.model_json_schema()
    schema.pop("description", None)
    for part in schema["properties"].values():
        part.pop("title", None)
        part.pop("maxItems", None)
    return {
        "type": "json_schema",
        "json_schema": {"name": "evidence", "strict": True, "schema": schema},
    }


def read_answer(content: str, pictures: tuple[Picture, ...]) -> Located | None:
    """The place of the evidence from a model's text; None when it says not valid.

    Swapped corners are put in order, and corners up to 5 % outside are pulled to the edge.
    Raises ``Unusable`` for everything else that is out of contract.
    """
    try:
        answer = AnnotatorAnswer.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise Unusable(f"{place}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Unusable("it is not a JSON object") from None
    if not answer.valid:
        return None
    if not 1 <= answer.picture <= len(pictures):
        raise Unusable(f"picture {answer.picture} is not from 1 to {len(pictures)}")
    corners, repaired = _corners(answer.box)
    picture = pictures[answer.picture - 1]
    x1, y1, x2, y2 = corners
    cue = None
    if (x2 - x1) * (y2 - y1) < WHOLE:
        box = Box(
            x1=math.floor(x1 * picture.width),
            y1=math.floor(y1 * picture.height),
            x2=math.ceil(x2 * picture.width),
            y2=math.ceil(y2 * picture.height),
        )
        cue = Cue(box=box, picture=answer.picture - 1)
    return Located(
        cue=cue,
        subject=_text("subject", answer.subject, MAX_SUBJECT),
        whole_view=_text("whole_view", answer.whole_view, MAX_TEXT),
        local_view=_text("local_view", answer.local_view, MAX_TEXT),
        repaired=repaired,
    )


def _corners(box: list[float]) -> tuple[tuple[float, float, float, float], bool]:
    """The box in order and inside 0..1, and whether that changed it."""
    if len(box) != 4:
        raise Unusable(f"box has {len(box)} numbers, it needs four: [x1, y1, x2, y2]")
    if not all(-SLACK <= value <= 1 + SLACK for value in box):  # NaN fails too
        raise Unusable(f"box {box} is not in parts of the picture: numbers from 0 to 1")
    clamped = [min(1.0, max(0.0, value)) for value in box]
    x1, x2 = sorted((clamped[0], clamped[2]))
    y1, y2 = sorted((clamped[1], clamped[3]))
    if x1 == x2 or y1 == y2:
        raise Unusable(f"box {box} is empty: it needs x1 < x2 and y1 < y2")
    return (x1, y1, x2, y2), [x1, y1, x2, y2] != box


def _text(field: str, text: str, limit: int) -> str:
    """One line of plain text."""
    text = " ".join(text.split())
    if len(text) > limit:
        raise Unusable(f"{field} has {len(text)} characters, at most {limit} are allowed")
    if found := _STRUCTURE.search(text):
        raise Unusable(f"{field} contains {found.group()!r}; write plain sentences")
    return text
