"""The structured answers an annotating model is asked for, as it is told to give them.

Strict structured output knows no numeric bounds and wants every field: bounds are checked
where an answer is used. Field order is the order the model writes in: what it should make
up its mind about first comes first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixel_core.data.annotation.outcome import AnnotationFault, Unusable
from pixel_core.models.endpoint.completion import Reply
from pixel_core.nesting import loads
from pixel_core.rewards.answer_marks import after_thought

#: The answer in a Markdown block, as models write it that are not held to a schema.
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

    Made once, for every request takes one: don't change it.
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
    """The answer in a reply; ``Unusable`` for everything that is none."""
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
    """What is left of a text without thoughts before the answer, as servers without a parser
    for them leave them there, and without a block's marks around it."""
    if content.lstrip().startswith("{"):
        return content
    content = after_thought(content)
    block = _BLOCK.fullmatch(content)
    return block[1] if block else content
