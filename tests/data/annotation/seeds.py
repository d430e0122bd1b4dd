"""Seeds without files: procedures never open a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from pixel_core.data.annotation.requests import AnnotationRequest, Procedure
from pixel_core.models.endpoint.completion import Reply as ModelReply
from pixel_core.records import Picture, Provenance, Seed, Split

T = TypeVar("T")


def picture(name: str = "a.png", width: int = 1000, height: int = 600) -> Picture:
    return Picture(member=name, width=width, height=height, sha256=name.encode().hex())


def seed(**fields: Any) -> Seed:
    """A question about one picture; ``fields`` replace the defaults."""
    values: dict[str, Any] = {
        "id": "s1",
        "split": Split.TRAIN,
        "question": "What does the sign say?",
        "answers": ("Harbour",),
        "pictures": (picture(),),
        "provenance": Provenance(source="test"),
    }
    return Seed(**{**values, **fields})


def photo(**fields: Any) -> Seed:
    return seed(**{"question": "", "answers": (), **fields})


def video(frames: int = 16, **fields: Any) -> Seed:
    shown = tuple(picture(f"{number}.png", 640, 360) for number in range(frames))
    return seed(**{"pictures": shown, "is_video": True, **fields})


def said(content: Any, **fields: Any) -> ModelReply:
    """A reply of 100 + 20 tokens; what is no text is sent as JSON."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return replace(
        ModelReply(content=text, refusal="", prompt_tokens=100, completion_tokens=20), **fields
    )


def carry_out(
    procedure: Procedure[T], answer: Callable[[AnnotationRequest], ModelReply]
) -> tuple[T, list[AnnotationRequest]]:
    """Drive a procedure to its end; what it returned, and what it asked."""
    asked: list[AnnotationRequest] = []
    try:
        request = next(procedure)
        while True:
            asked.append(request)
            request = procedure.send(answer(request))
    except StopIteration as end:
        return end.value, asked


def in_turn(*replies: ModelReply) -> Callable[[AnnotationRequest], ModelReply]:
    """The replies one after the other; the test fails when more are asked for."""
    left = iter(replies)
    return lambda request: next(left)


def words_of(request: AnnotationRequest) -> str:
    """All text of a request's messages."""
    parts: list[str] = []
    for message in request.messages:
        content = message["content"]
        parts += (
            [content]
            if isinstance(content, str)
            else [part["text"] for part in content if part["type"] == "text"]
        )
    return "\n".join(parts)
