"""A request as the body of a chat completion."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pixel_core.data.annotation.requests import AnnotationRequest

#: Where a picture goes, in a text that nobody outside can know.
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
    """``request_body`` as the bytes that are sent. The pictures, which are most of them and
    need no escaping, are put in as they are rather than looked through for quotes."""
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
    # The detail is stated because the price follows from it (see ``picture_tokens``).
    url = {"url": pictures[part["view"]], "detail": "high"}
    return {"type": "image_url", "image_url": url}
