"""A request as the body of a chat completion, and a completion's body as a reply."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pixel_core.annotation.requests import Reply, Request

#: In place of a body, for a refusal that came as an HTTP error.
_REFUSED = "refused"
#: Where a picture goes, in a text that nobody outside can know.
_STAND_IN = f"view-{secrets.token_hex(16)}-"


def request_body(request: Request, model: str, pictures: Sequence[str]) -> dict[str, Any]:
    """The JSON that is sent; ``pictures`` are the data URLs of ``request.views``."""
    return {
        "model": model,
        "messages": [_message(message, pictures) for message in request.messages],
        "response_format": request.response_format,
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
    }


def request_json(request: Request, model: str, pictures: Sequence[str]) -> bytes:
    """``request_body`` as the bytes that are sent. The pictures, which are most of them and
    need no escaping, are put in as they are rather than looked through for quotes."""
    stand_ins = [f"{_STAND_IN}{number}." for number in range(len(pictures))]
    text = json.dumps(request_body(request, model, stand_ins))
    parts = re.split(rf"{_STAND_IN}(\d+)\.", text)
    parts[1::2] = [pictures[int(number)] for number in parts[1::2]]
    return "".join(parts).encode()


def refusal_body(code: str) -> bytes:
    """What is kept as the answer when a content filter refused it by an HTTP error."""
    return json.dumps({_REFUSED: code}).encode()


def is_answer(body: bytes) -> bool:
    """Whether this is a chat completion (or a refusal) at all, and not a proxy's page or
    half a body: something that was paid for and worth keeping."""
    value = _object(body)
    return isinstance(value.get("choices"), list) or isinstance(value.get(_REFUSED), str)


def is_metered(body: bytes) -> bool:
    """Whether the body says what it cost; a refusal by an HTTP error costs nothing."""
    value = _object(body)
    return isinstance(value.get("usage"), dict) or isinstance(value.get(_REFUSED), str)


def read_reply(body: bytes) -> Reply:
    """What is in a body; one out of contract has neither content nor refusal."""
    value = _object(body)
    if isinstance(value.get(_REFUSED), str):
        return Reply(None, value[_REFUSED])
    usage = value.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    said = Reply(
        None,
        "",
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
    )
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return said
    finish = choice.get("finish_reason")
    said = replace(said, truncated=finish == "length")
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return replace(said, refusal=refusal)
    if finish == "content_filter":
        return replace(said, refusal="content_filter")
    content = message.get("content")
    return replace(said, content=content) if isinstance(content, str) else said


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


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _count(usage: Any, name: str) -> int:
    """A number of tokens as an endpoint states it, if it can be one."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 10**9 else 0
