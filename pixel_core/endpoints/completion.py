"""The body of a chat completion, read as a reply. All of it is untrusted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from pixel_core.nesting import loads

#: In place of a body, for a refusal that came as an HTTP error.
_REFUSED = "refused"


@dataclass(frozen=True)
class Reply:
    """What an endpoint said: a text, or a refusal (""), and what it cost in tokens."""

    content: str | None
    refusal: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    #: Of the prompt tokens, those the endpoint had cached.
    cached_tokens: int = 0
    #: The answer was cut by the token limit.
    truncated: bool = False


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


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _count(usage: Any, name: str) -> int:
    """A number of tokens as an endpoint states it, if it can be one."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 10**9 else 0
