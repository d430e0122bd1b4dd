"""Applies a rule's fault to a chat request."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

from pixel_core.dev.annotator.answers import answer
from pixel_core.dev.annotator.chat_request import AnnotatorRequest
from pixel_core.dev.annotator.completion import completion
from pixel_core.dev.annotator.http_reply import HttpReply, error_reply, json_reply
from pixel_core.dev.annotator.script import ScriptedFault, ScriptRule

_REFUSAL = "I'm sorry, I can't help with that."


def failure(rule: ScriptRule, model: str = "") -> HttpReply | None:
    """The response for a fault that needs no answer; None for other faults."""
    match rule.do:
        case ScriptedFault.RATE_LIMIT:
            reply = error_reply(429, "Rate limit reached", "rate_limit_exceeded", "requests")
            return HttpReply(429, reply.body, _retry_after(rule))
        case ScriptedFault.INSUFFICIENT_QUOTA:
            quota = "insufficient_quota"
            return error_reply(429, "You exceeded your current quota", quota, quota)
        case ScriptedFault.SERVER_ERROR:
            reply = error_reply(rule.status, "The server had an error", "", "server_error")
            return HttpReply(rule.status, reply.body, _retry_after(rule))
        case ScriptedFault.WRONG_KEY:
            return error_reply(401, "Incorrect API key provided", "invalid_api_key")
        case ScriptedFault.UNKNOWN_MODEL:
            return error_reply(404, f"The model `{model}` does not exist", "model_not_found")
        case ScriptedFault.CONTENT_POLICY:
            return error_reply(
                400, "Your request was rejected by our policy", "content_policy_violation"
            )
        case ScriptedFault.HANG:
            return HttpReply(200, wait_s=rule.seconds or 60.0, cut_at=-1)
        case ScriptedFault.CLOSE:
            return HttpReply(200, cut_at=-1)
        case ScriptedFault.NOT_JSON:
            page = b"<html><body><h1>Service busy</h1></body></html>"
            return HttpReply(200, page, content_type="text/html")
        case ScriptedFault.EMPTY:
            return HttpReply(200)
        case ScriptedFault.NO_CHOICES:
            return json_reply({"object": "chat.completion", "choices": []})
    return None


def spoilt(rule: ScriptRule, request: AnnotatorRequest) -> HttpReply:
    """The response with its answer, altered by the fault. Raises ``BadRequest``."""
    match rule.do:
        case ScriptedFault.REFUSAL:
            return json_reply(completion(request, None, refusal=rule.content or _REFUSAL))
        case ScriptedFault.CONTENT_FILTER:
            return json_reply(completion(request, None, finish_reason="content_filter"))
        case ScriptedFault.SAY:
            return json_reply(completion(request, rule.content))
    fields = answer(request, wrong=rule.do is ScriptedFault.WRONG)
    match rule.do:
        case ScriptedFault.BOX_OUTSIDE:
            fields = _with_box(fields, lambda box: [value + 0.7 for value in box])
        case ScriptedFault.BOX_SWAPPED:
            fields = _with_box(fields, lambda box: [*box[2:], *box[:2]])
    content = json.dumps(fields)
    if rule.do is ScriptedFault.LENGTH:
        half = content[: len(content) // 2]
        return json_reply(completion(request, half, finish_reason="length"))
    reply = json_reply(completion(request, content))
    half_way = len(reply.body) // 2
    if rule.do is ScriptedFault.TRUNCATED:
        return HttpReply(200, reply.body[:half_way])
    if rule.do is ScriptedFault.DROP:
        return HttpReply(200, reply.body, cut_at=half_way)
    if rule.do is ScriptedFault.SLOW:
        return HttpReply(200, reply.body, wait_s=rule.seconds)
    return reply


def _with_box(fields: dict[str, Any], change: Any) -> dict[str, Any]:
    box = fields.get("box")
    return {**fields, "box": change(box)} if isinstance(box, list) and box else fields


def _retry_after(rule: ScriptRule) -> dict[str, str]:
    if rule.retry_after_as == "ms":
        return {"retry-after-ms": f"{rule.retry_after_s * 1000:g}"}
    if rule.retry_after_as == "seconds":
        return {"retry-after": f"{rule.retry_after_s:g}"}
    return {"retry-after": formatdate(time.time() + rule.retry_after_s, usegmt=True)}
