"""Requests to an annotating model, independent of the transport.

A seed's annotation is a *procedure*: a generator that yields an ``AnnotationRequest``, is
sent the ``Reply``, and finally returns the seed's outcome. Procedures know nothing of
endpoints; ``live`` runs them a few at a time, ``batch`` in rounds.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pixel_core.config import OpenAIConfig
from pixel_core.models.endpoint.completion import Reply
from pixel_core.models.endpoint.endpoint import Endpoint
from pixel_core.records import Box, Cue, FrameCue, Picture, Seed

# The annotating model's endpoint, as an ``Endpoint`` of ``pixel_core.models.endpoint``.


def endpoint_of(config: OpenAIConfig) -> Endpoint:
    return Endpoint(
        base_url=config.base_url,
        model=config.model,
        api_key_env=config.api_key_env,
        timeout_s=config.timeout_s,
        retries=config.max_retries,
        at_once=config.concurrency,
        section="annotate.openai.",
        retries_setting="max_retries",
        at_once_setting="concurrency",
        takes="pictures and a JSON schema",
        max_wait_s=config.max_wait_s,
        omit=config.omit,
    )


class RequestTask(StrEnum):
    """The purpose of a request; each has its own prompt versions."""

    LOCATE = "locate"  #: where the evidence for a given question is
    PROPOSE = "propose"  #: a region of a photo, and a question on it
    LOOK = "look"  #: the answer to a question, from the shown pictures alone


@dataclass(frozen=True)
class PictureView:
    """A picture, or a region of it, as sent: at most ``max_pixels`` pixels."""

    picture: Picture
    max_pixels: int
    region: Box | None = None


@dataclass(frozen=True)
class AnnotationRequest:
    """One question to the model. Its digest (see the ledger) covers all fields and the
    model's name; pictures appear in ``messages`` as {"type": "view", "view": i}."""

    task: RequestTask
    messages: tuple[Mapping[str, Any], ...]
    views: tuple[PictureView, ...]
    response_format: Mapping[str, Any]
    max_tokens: int
    temperature: float = 0.0
    #: Distinguishes equal requests that need separate answers: votes.
    vote: int = 0


T = TypeVar("T")
Procedure = Generator[AnnotationRequest, Reply, T]


# A request as the body of a chat completion.


#: Placeholder of a picture, a text that nobody outside can know.
_STAND_IN = f"view-{secrets.token_hex(16)}-"


def request_body(
    request: AnnotationRequest, model: str, pictures: Sequence[str]
) -> dict[str, Any]:
    """The JSON that is sent; ``pictures`` are the data URLs of ``request.views``."""
    return {
        "model": model,
        "messages": [_message(message, pictures) for message in request.messages],
        "response_format": request.response_format,
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
    }


def request_json(request: AnnotationRequest, model: str, pictures: Sequence[str]) -> bytes:
    """``request_body`` as the bytes that are sent. Pictures, most of the bytes, need no
    escaping and are inserted unscanned."""
    stand_ins = [f"{_STAND_IN}{number}." for number in range(len(pictures))]
    text = json.dumps(request_body(request, model, stand_ins))
    parts = re.split(rf"{_STAND_IN}(\d+)\.", text)
    parts[1::2] = [pictures[int(number)] for number in parts[1::2]]
    return "".join(parts).encode()


def _message(message: Mapping[str, Any], pictures: Sequence[str]) -> dict[str, Any]:
    content = message["content"]
    if not isinstance(content, str):
        content = [_part(part, pictures) for part in content]
    return {**message, "content": content}


def _part(part: Mapping[str, Any], pictures: Sequence[str]) -> Mapping[str, Any]:
    if part["type"] != "view":
        return part
    # The detail is explicit because the price depends on it (see ``picture_tokens``).
    url = {"url": pictures[part["view"]], "detail": "high"}
    return {"type": "image_url", "image_url": url}


# Which part of a seed is shown: all of it or its cue alone, large or small.


#: Each frame of a video gets this fraction of a picture's pixels: 500 visual tokens of 2000,
#: and 128 of 512 when they are shown small, as in the dialogue.
FRAME_PART = 4
#: Margin on each side of a cue that is shown alone, as a share of the cue's side.
MARGIN = 0.1


def whole(seed: Seed, max_pixels: int) -> tuple[PictureView, ...]:
    """Every picture, or every frame, of the seed."""
    pixels = _each(seed, max_pixels)
    return tuple(PictureView(picture, pixels) for picture in seed.pictures)


def cue_alone(seed: Seed, cue: Cue | FrameCue, max_pixels: int) -> tuple[PictureView, ...]:
    """The cue's region with a margin, or the cue's frames."""
    pixels = _each(seed, max_pixels)
    if isinstance(cue, FrameCue):
        return tuple(PictureView(seed.pictures[frame], pixels) for frame in cue.frames)
    picture = seed.pictures[cue.picture]
    return (PictureView(picture, pixels, _wider(cue.box, picture)),)


def content(views: tuple[PictureView, ...], text: str, *, frames: bool) -> list[dict[str, Any]]:
    """A message's parts: the views, numbered from 1 if there are several, then the text."""
    parts: list[dict[str, Any]] = []
    for number in range(len(views)):
        if len(views) > 1 or frames:
            label = f"{'Frame' if frames else 'Picture'} {number + 1}:"
            parts.append({"type": "text", "text": label})
        parts.append({"type": "view", "view": number})
    return [*parts, {"type": "text", "text": text}]


def _each(seed: Seed, max_pixels: int) -> int:
    return max(1, max_pixels // FRAME_PART) if seed.is_video else max_pixels


def _wider(box: Box, picture: Picture) -> Box:
    across = math.ceil((box.x2 - box.x1) * MARGIN)
    down = math.ceil((box.y2 - box.y1) * MARGIN)
    return Box(
        x1=max(0, box.x1 - across),
        y1=max(0, box.y1 - down),
        x2=min(picture.width, box.x2 + across),
        y2=min(picture.height, box.y2 + down),
    )


# What makes two requests the same question: exactly what shapes the answer. That excludes the
# endpoint's address, the key and the prices.


#: Raised when the meaning of the hashed fields, or of how they are sent, changes.
_VERSION = 1
#: How views are encoded (``images.encode``): raised when their pixels would change.
ENCODING = "png-or-jpeg92-444/1"
_KNOWN = "_digest"


def request_digest(model: str, request: AnnotationRequest) -> bytes:
    """SHA-256 (32 bytes) of the model, the request, and the pictures it shows."""
    known = request.__dict__.get(_KNOWN)
    if known is not None and known[0] == model:
        return known[1]
    views = [
        (
            view.picture.sha256,
            view.region.as_tuple() if view.region else None,
            view.max_pixels,
        )
        for view in request.views
    ]
    parts = (
        _VERSION,
        ENCODING,
        model,
        request.task,
        request.messages,
        views,
        request.response_format,
        request.max_tokens,
        request.temperature,
        request.vote,
    )
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    # A request does not change, and its digest is needed at every step.
    request.__dict__[_KNOWN] = model, digest
    return digest
