"""What is asked of an annotating model, apart from how it gets there.

A seed's annotation is a *procedure*: a generator that yields an ``AnnotationRequest``, is
sent the ``Reply``, and in the end returns what became of the seed. Procedures know nothing of
endpoints; ``live`` drives them a few at a time, ``batch`` round by round.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Box, Picture


class RequestTask(StrEnum):
    """What a request is for; each has prompts with a version of their own."""

    LOCATE = "locate"  #: where the evidence for a given question is
    PROPOSE = "propose"  #: a region of a photo, and a question on it
    LOOK = "look"  #: the answer to a question, from what is shown alone


@dataclass(frozen=True)
class PictureView:
    """A picture, or a region of it, as it is sent: at most ``max_pixels`` pixels."""

    picture: Picture
    max_pixels: int
    region: Box | None = None


@dataclass(frozen=True)
class AnnotationRequest:
    """One question to the model. Its digest (see the ledger) covers all of this and the
    model's name; pictures stand in ``messages`` as {"type": "view", "view": i}."""

    task: RequestTask
    messages: tuple[Mapping[str, Any], ...]
    views: tuple[PictureView, ...]
    response_format: Mapping[str, Any]
    max_tokens: int
    temperature: float = 0.0
    #: Tells equal requests apart that are to be answered anew: votes.
    vote: int = 0


T = TypeVar("T")
Procedure = Generator[AnnotationRequest, Reply, T]
