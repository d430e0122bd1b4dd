"""The body of a chat completion, read as a reply. All of it is untrusted."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from pixel_core.nesting import loads

#: In place of a body, for a refusal that came as an HTTP error.
_REFUSED = "refused"
#: Reasons to end, in lower case, that mean the token limit (OpenAI's, Mistral's, Gemini's).
_CUT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
#: Those that mean that the server broke off (OpenRouter's, vLLM's and SGLang's, DeepSeek's).
_BROKEN = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource"}
)
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
    body, an error in place of choices or beside them, nulls. It is asked again and never kept.
    """
    reply = read_reply(body)
    if reply.refusal or reply.truncated:
        return True
    value = _object(body)
    choice = _choice(value)
    if choice is None or _is_broken(value, choice):
        return False
    return reply.completion_tokens > 0 or says_something(reply.content)


def says_something(text: str | None) -> bool:
    """Whether there is anything to be seen in a text."""
    return any(unicodedata.category(letter)[0] not in "CZ" for letter in text or "")


def is_metered(body: bytes) -> bool:
    """Whether the body says what it cost; a refusal by an HTTP error costs nothing."""
    value = _object(body)
    return isinstance(value.get(_REFUSED), str) or _usage(value) is not None


def read_reply(body: bytes) -> Reply:
    """What is in a body; one out of contract has neither content nor refusal."""
    value = _object(body)
    if isinstance(value.get(_REFUSED), str):
        return Reply(None, value[_REFUSED])
    prompt, completion, cached = _usage(value) or (0, 0, 0)
    said = Reply(None, "", prompt, completion, cached)
    choice = _choice(value)
    if choice is None or _is_broken(value, choice):
        return said
    finish = _finish(choice)
    said = replace(said, truncated=finish in _CUT)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {}  # as Gemini's, cut or filtered before the first word
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


def _choice(value: dict[str, Any]) -> dict[str, Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _finish(choice: dict[str, Any]) -> str:
    finish = choice.get("finish_reason")
    return finish.lower() if isinstance(finish, str) else ""


def _is_broken(value: dict[str, Any], choice: dict[str, Any]) -> bool:
    """Whether the server says that it failed, beside what it had written until then."""
    return bool(value.get("error") or choice.get("error")) or _finish(choice) in _BROKEN


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(value: dict[str, Any]) -> tuple[int, int, int] | None:
    """Tokens of the prompt, of the completion, and cached ones of the prompt, as OpenAI's
    servers call them or as Anthropic's do. None where that is not said: no prompt is free.

    Some servers leave thoughts out of the completion's tokens, and count them in the total.
    """
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if not prompt or (completion is None and total is None):
        return None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = _count(details if isinstance(details, dict) else {}, "cached_tokens")
    return prompt, max(completion or 0, (total or 0) - prompt), cached or 0


def _count(usage: dict[str, Any], *names: str) -> int | None:
    """A number of tokens as an endpoint states it, under the first of these names that it
    has; None for what can't be one."""
    value = next((usage[name] for name in names if usage.get(name) is not None), None)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:12])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 10**9 else None
