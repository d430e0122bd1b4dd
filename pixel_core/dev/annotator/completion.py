"""The body of a chat completion."""

from __future__ import annotations

import json
from typing import Any

from pixel_core.dev.annotator.chat_request import AnnotatorRequest
from pixel_core.dev.annotator.tokens import message_tokens, picture_tokens, text_tokens


def completion(
    request: AnnotatorRequest,
    content: str | None,
    *,
    refusal: str | None = None,
    finish_reason: str = "stop",
) -> dict[str, Any]:
    """The body. Content over the request's token limit is cut: finish_reason "length"."""
    if content is not None and text_tokens(content) > request.max_tokens:
        content, finish_reason = content[: 4 * request.max_tokens], "length"
    said = text_tokens(content or refusal or "")
    return {
        "id": f"chatcmpl-{request.digest[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "logprobs": None,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
            }
        ],
        "usage": {
            "prompt_tokens": (given := prompt_tokens(request)),
            "completion_tokens": said,
            "total_tokens": given + said,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def prompt_tokens(request: AnnotatorRequest) -> int:
    """Tokens of the messages, with the tile rule for pictures."""
    schema = json.dumps(dict(request.properties)) if request.properties else ""
    return (
        text_tokens(request.text)
        + text_tokens(schema)
        + message_tokens(request.messages)
        + sum(picture_tokens(sight.width, sight.height) for sight in request.sights())
    )
