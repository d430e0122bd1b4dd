"""The structured answers that an annotating model is asked for.

Strict structured output has no numeric bounds and requires every field, so bounds are checked
where an answer is used. The model writes fields in order: what it should decide first comes
first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixel_core.data.annotation.outcome import AnnotationFault, GaveUp, ReplyTally, Unusable
from pixel_core.data.annotation.prompt_files import PromptVersion
from pixel_core.data.annotation.requests import AnnotationRequest, Procedure
from pixel_core.models.endpoint.completion import Reply
from pixel_core.nesting import loads
from pixel_core.records import Box, Cue, FrameCue, Picture
from pixel_core.rewards.answer_marks import after_thought

#: The answer in a Markdown block, as models without a schema constraint write it.
_BLOCK = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)

Numbers = Annotated[list[float], Field(max_length=64)]
Places = Annotated[list[int], Field(max_length=512)]
Options = Annotated[list[str], Field(max_length=64)]


class StructuredAnswer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Words(StructuredAnswer):
    """The texts of a trajectory. Under the name ``describe_cue``: the cue is known."""

    valid: bool
    subject: str
    whole_view: str
    local_view: str


class BoxAnswer(StructuredAnswer):
    """``locate_box``: the evidence for a given question, in a picture counted from 1; the
    box in parts of its width and height."""

    valid: bool
    picture: int
    box: Numbers
    subject: str
    whole_view: str
    local_view: str


class FramesAnswer(StructuredAnswer):
    """``locate_frames``: which of a video's frames, counted from 1, hold the evidence."""

    valid: bool
    frames: Places
    subject: str
    whole_view: str
    local_view: str


class Proposal(StructuredAnswer):
    """``propose``: a region of a photo and a four-choice question on it."""

    valid: bool
    box: Numbers
    subject: str
    question: str
    right_option: str
    wrong_options: Options
    whole_view: str
    local_view: str


class LookAnswer(StructuredAnswer):
    """``look``: the answer, from what is shown alone."""

    readable: bool
    answer: str


A = TypeVar("A", bound=StructuredAnswer)


@cache
def response_format(name: str, kind: type[StructuredAnswer]) -> Mapping[str, Any]:
    """The ``response_format`` of a request: a strict JSON schema without bounds.

    Cached, because every request uses one: don't modify it.
    """
    schema = kind.model_json_schema()
    for part in (schema, *schema["properties"].values()):
        for key in ("title", "description", "maxItems"):
            part.pop(key, None)
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": schema},
    }


def read_answer(reply: Reply, kind: type[A]) -> A:
    """Parse the answer in a reply; raises ``Unusable`` if there is none."""
    if reply.refusal:
        raise Unusable(AnnotationFault.REFUSED, "it was refused")
    if reply.truncated:
        raise Unusable(AnnotationFault.TRUNCATED, "it was cut off; write shorter texts")
    if not (reply.content or "").strip():
        raise Unusable(AnnotationFault.EMPTY, "it had no text")
    try:
        return kind.model_validate(loads(_unwrapped(reply.content or "")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise Unusable(AnnotationFault.SCHEMA, f"{place}: {first['msg']}") from None
    except ValueError:
        raise Unusable(AnnotationFault.NOT_JSON, "it is not a JSON object") from None


def _unwrapped(content: str) -> str:
    """The text without the thoughts that servers without a reasoning parser leave before
    the answer, and without code block marks."""
    if content.lstrip().startswith("{"):
        return content
    content = after_thought(content)
    block = _BLOCK.fullmatch(content)
    return block[1] if block else content


# From the boxes and frames that a model names to cues.


#: A box with at least this share of the picture's area (or of a video's frames) is the
#: whole of it: no cue.
WHOLE = 0.9
#: The largest share of a photo's area that a proposed region may cover.
SMALL = 0.1
#: How far a coordinate may leave 0..1 and still be pulled back to the edge.
SLACK = 0.05
#: Least side of a box in pixels of the original: less shows nothing.
MIN_SIDE = 4


def cue_in(
    pictures: Sequence[Picture], number: int, box: Sequence[float]
) -> tuple[Cue | None, bool]:
    """The cue of a box in picture ``number`` (from 1), and whether it was repaired.

    The box is in fractions of the picture and rounded outwards to pixels. Swapped corners are
    reordered; corners up to ``SLACK`` outside are clamped. None for a box around the whole
    picture. Raises ``Unusable`` for any other invalid box.
    """
    if not 1 <= number <= len(pictures):
        raise Unusable(
            AnnotationFault.PLACE, f"picture {number} is not from 1 to {len(pictures)}"
        )
    picture = pictures[number - 1]
    (x1, y1, x2, y2), repaired = _corners(box)
    if (x2 - x1) * (y2 - y1) >= WHOLE:
        return None, repaired
    pixels = Box(
        x1=math.floor(x1 * picture.width),
        y1=math.floor(y1 * picture.height),
        x2=math.ceil(x2 * picture.width),
        y2=math.ceil(y2 * picture.height),
    )
    if min(pixels.x2 - pixels.x1, pixels.y2 - pixels.y1) < MIN_SIDE:
        raise Unusable(
            AnnotationFault.TOO_SMALL,
            f"box {list(box)} is only a few pixels of the picture; take in all of the evidence",
        )
    return Cue(box=pixels, picture=number - 1), repaired


def small_cue_in(picture: Picture, box: Sequence[float]) -> tuple[Cue, bool]:
    """As ``cue_in`` for a proposed region, which must be a small part of the photo."""
    cue, repaired = cue_in((picture,), 1, box)
    if cue is None or cue.box.area > SMALL * picture.width * picture.height:
        raise Unusable(
            AnnotationFault.NOT_SMALL,
            f"box {list(box)} covers more than {SMALL:.0%} of the picture; choose a small "
            "detail and draw the box tightly around it",
        )
    return cue, repaired


def frames_in(count: int, numbers: Sequence[int]) -> tuple[FrameCue | None, bool]:
    """The cue of video frames (numbers from 1), and whether their order was repaired.

    None when they are (nearly) all of the ``count`` frames. Raises ``Unusable`` for no
    frames and for numbers that the video does not have.
    """
    if not numbers:
        raise Unusable(
            AnnotationFault.PLACE, "frames is empty; name the frames that show the evidence"
        )
    wrong = next((number for number in numbers if not 1 <= number <= count), None)
    if wrong is not None:
        raise Unusable(AnnotationFault.PLACE, f"frame {wrong} is not from 1 to {count}")
    ordered = sorted(set(numbers))
    repaired = ordered != list(numbers)
    if len(ordered) >= WHOLE * count:
        return None, repaired
    return FrameCue(frames=tuple(number - 1 for number in ordered)), repaired


def _corners(box: Sequence[float]) -> tuple[tuple[float, float, float, float], bool]:
    """The box in order and inside 0..1, and whether that changed it."""
    if len(box) != 4:
        raise Unusable(
            AnnotationFault.PLACE,
            f"box has {len(box)} numbers, it needs four: [x1, y1, x2, y2]",
        )
    if not all(-SLACK <= value <= 1 + SLACK for value in box):  # NaN fails too
        raise Unusable(
            AnnotationFault.PLACE,
            f"box {list(box)} is not in parts of the picture: numbers from 0 to 1",
        )
    clamped = [min(1.0, max(0.0, value)) for value in box]
    x1, x2 = sorted((clamped[0], clamped[2]))
    y1, y2 = sorted((clamped[1], clamped[3]))
    if x1 == x2 or y1 == y2:
        raise Unusable(
            AnnotationFault.PLACE, f"box {list(box)} is empty: it needs x1 < x2 and y1 < y2"
        )
    return (x1, y1, x2, y2), [x1, y1, x2, y2] != list(box)


# Asking the model one question until its answer can be used.


#: Attempts at one question before its seed is dropped.
MAX_ASKS = 3
#: Characters of the model's own text that a retry quotes back to it.
_MAX_ECHO = 2000
#: Characters of the fault description; it may quote the model.
_MAX_FAULT = 400

T = TypeVar("T")


def ask(
    request: AnnotationRequest,
    read: Callable[[Reply], T],
    prompts: PromptVersion,
    tally: ReplyTally,
) -> Procedure[T]:
    """Ask, and return ``read(reply)``.

    When ``read`` raises ``Unusable``, the model gets the reason and another attempt,
    ``MAX_ASKS`` in all; then ``GaveUp`` is raised with the last reason.
    """
    reason = AnnotationFault.EMPTY
    for number in range(MAX_ASKS):
        reply = yield request
        tally.count(request.task, reply)
        try:
            return read(reply)
        except Unusable as fault:
            reason = fault.reason
            if number + 1 < MAX_ASKS:
                tally.asked_again[reason] += 1
                request = _again(request, reply, str(fault), prompts)
    raise GaveUp(reason)


def _again(
    request: AnnotationRequest, reply: Reply, fault: str, prompts: PromptVersion
) -> AnnotationRequest:
    said = _sendable(reply.content or reply.refusal or "(nothing)", _MAX_ECHO)
    told = prompts.write("again", fault=_sendable(fault, _MAX_FAULT))
    more: tuple[Mapping[str, Any], ...] = (
        {"role": "assistant", "content": said},
        {"role": "user", "content": told},
    )
    return replace(request, messages=(*request.messages, *more))


def _sendable(text: str, limit: int) -> str:
    """The beginning of a text; lone surrogates, which JSON can smuggle in, are replaced."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
