"""The body of a chat completion, read as a reply. All of it is untrusted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from pixel_core.nesting import loads

#: In place of a body, for a refusal that came as an HTTP error.
_REFUSED = "refused"
#: Reasons to end, in lower case, that mean the token limit (OpenAI's, Mistral's, Gemini's).
_CUT = frozenset({"length", "max_tokens", "model_length"})
#: Those that mean a filter.
_FILTERED = frozenset(
    {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation"}
)
#: Types of chunks whose text is part of the answer.
_TEXTS = frozenset({"text", "output_text"})
#: How the beginning of a chat completion looks, whatever field comes first.
_BEGUN = re.compile(
    rb'\s*\{\s*"(?:id|object|created|model|choices|service_tier|system_fingerprint|provider)"\s*:'
)
#: Characters of English or JSON a token, about.
_CHARACTERS = 4


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
    """Whether a model said something: a text, a refusal, or nothing but paid tokens.

    Everything else that comes with HTTP 200 is an outage: no bytes, a proxy's page, half a
    body, an error in place of choices, nulls. It is asked again and never kept.
    """
    reply = read_reply(body)
    if reply.refusal or reply.truncated or (reply.completion_tokens > 0 and _choices(body)):
        return True
    return bool((reply.content or "").strip())


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
    finish = finish.lower() if isinstance(finish, str) else ""
    said = replace(said, truncated=finish in _CUT)
    text, refusal = _spoken(message.get("content"))
    refused = message.get("refusal")
    if isinstance(refused, str) and refused:
        refusal = refused
    if not refusal and finish in _FILTERED:
        refusal = finish
    return replace(said, refusal=refusal) if refusal else replace(said, content=text)


def likely_completion_tokens(body: bytes) -> int:
    """Tokens a model wrote in a body that was cut before it said so, about; 0 for what does
    not begin as a chat completion, and so has been paid by nobody."""
    if not _BEGUN.match(body) or _object(body):
        return 0
    return max(1, len(body) // _CHARACTERS)


def _spoken(content: Any) -> tuple[str | None, str]:
    """The text and the refusal in a message's ``content``: a text, or a list of typed
    chunks, of which thoughts and calls are no part of the answer."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list) or not content:
        return None, ""
    texts: list[str] = []
    refusals: list[str] = []
    for chunk in content:
        if isinstance(chunk, str):
            texts.append(chunk)
        elif isinstance(chunk, dict) and not chunk.get("thought"):
            kind = chunk.get("type", "text")
            if kind in _TEXTS and isinstance(chunk.get("text"), str):
                texts.append(chunk["text"])
            elif kind == "refusal" and isinstance(chunk.get("refusal"), str):
                refusals.append(chunk["refusal"])
    return ("".join(texts) if texts else None), "".join(refusals)


def _choices(body: bytes) -> bool:
    choices = _object(body).get("choices")
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)


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
