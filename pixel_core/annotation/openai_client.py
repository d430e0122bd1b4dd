"""One question to an OpenAI-compatible endpoint, with its failures made plain.

Transient failures (429, 5xx, timeouts, broken connections) are retried by the ``openai``
client itself, with backoff and a bound. What is left becomes one ``EndpointError``. The key
comes from the environment and goes nowhere but into the request's header.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from pixel_core.annotation.api_key import key_of as key_of
from pixel_core.config import OpenAIConfig
from pixel_core.errors import EndpointError

#: Tokens an answer may take; the schema's texts need a quarter of it.
MAX_ANSWER_TOKENS = 1200

#: Shorter "keys" are words ("none") that local servers accept; nothing to hide.
_SECRET_LENGTH = 8

#: Error codes that concern one picture or question, not the connection.
_REFUSALS = ("content_filter", "content_policy_violation", "invalid_image")


@dataclass(frozen=True)
class Reply:
    """What an endpoint said: a text, or a refusal (""), and what it cost in tokens."""

    content: str | None
    refusal: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Endpoint:
    """A connection to the configured endpoint; safe to use from several threads."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self._key = key_of(config.api_key_env)
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=config.base_url,
            timeout=config.timeout_s,
            max_retries=config.max_retries,
        )

    def ask(self, messages: list[dict[str, Any]], response_format: dict[str, Any]) -> bytes:
        """The body of the endpoint's answer, whatever is in it (see ``read_reply``).

        A content refusal that came as an HTTP error is a body too. Raises
        ``EndpointError`` when there is no answer to be had.
        """
        request: dict[str, Any] = {
            "model": self._config.model,
            "messages": messages,
            "response_format": response_format,
            "max_completion_tokens": MAX_ANSWER_TOKENS,
            "temperature": 0,
        }
        try:
            response = self._client.chat.completions.with_raw_response.create(**request)
        except openai.BadRequestError as error:
            if error.code in _REFUSALS:
                return json.dumps({"refused": error.code}).encode()
            raise self._failure(error) from None
        except openai.APIError as error:
            # Not chained: the client's error may quote headers or the key.
            raise self._failure(error) from None
        return self._redacted(response.http_response.content)

    def close(self) -> None:
        self._client.close()

    def _failure(self, error: openai.APIError) -> EndpointError:
        """The error in our words; what the server said is quoted without the key."""
        config = self._config
        parts = urlsplit(config.base_url)
        where = f"the endpoint {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        tries = f"after {config.max_retries} retries"
        if isinstance(error, openai.APITimeoutError):
            return EndpointError(
                f"{where} gave no answer in {config.timeout_s:g} s, {tries}; raise "
                "annotate.openai.timeout_s or try later"
            )
        if isinstance(error, openai.APIConnectionError):
            return EndpointError(
                f"{where} can't be reached, {tries}; check annotate.openai.base_url"
            )
        status = error.status_code if isinstance(error, openai.APIStatusError) else 0
        if status in (401, 403):
            return EndpointError(
                f"{where} refuses the key in {config.api_key_env} (HTTP {status}); put a "
                "valid key in that environment variable"
            )
        said = self._redacted(str(error.message).encode()).decode("utf-8", "replace")[:300]
        if status == 404:
            return EndpointError(
                f"{where} does not know the model {config.model!r} or the path (HTTP 404); "
                f"check annotate.openai.model and base_url; it said: {said}"
            )
        if status == 429 or status >= 500:
            return EndpointError(
                f"{where} still answers HTTP {status} {tries}; try later, lower "
                f"annotate.openai.concurrency or raise max_retries; it said: {said}"
            )
        return EndpointError(
            f"{where} refuses the request (HTTP {status}); the model {config.model!r} must "
            f"take pictures and a JSON schema; it said: {said}"
        )

    def _redacted(self, data: bytes) -> bytes:
        if len(self._key) < _SECRET_LENGTH:
            return data
        return data.replace(self._key.encode(), b"[key]")


def read_reply(body: bytes) -> Reply:
    """What is in an answer's body; one out of contract has neither content nor refusal."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Reply(None, "")
    if not isinstance(value, dict):
        return Reply(None, "")
    if isinstance(value.get("refused"), str):
        return Reply(None, value["refused"])
    usage = value.get("usage")
    tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Reply(None, "", *tokens)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return Reply(None, refusal, *tokens)
    if isinstance(choice, dict) and choice.get("finish_reason") == "content_filter":
        return Reply(None, "content_filter", *tokens)
    content = message.get("content")
    return Reply(content if isinstance(content, str) else None, "", *tokens)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value >= 0 else 0
