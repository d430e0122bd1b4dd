"""One question to the model, asked until an answer can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pixel_core.data.annotation.outcome import AnnotationFault, GaveUp, ReplyTally, Unusable
from pixel_core.data.annotation.prompt_files import PromptVersion
from pixel_core.data.annotation.requests import AnnotationRequest, Procedure
from pixel_core.models.endpoint.completion import Reply

#: Answers asked for one question before its seed is dropped.
MAX_ASKS = 3
#: Characters of a model's own text that go back to it when it is asked again.
_MAX_ECHO = 2000
#: Characters of what was wrong with it; it may quote the model.
_MAX_FAULT = 400

T = TypeVar("T")


def ask(
    request: AnnotationRequest,
    read: Callable[[Reply], T],
    prompts: PromptVersion,
    tally: ReplyTally,
) -> Procedure[T]:
    """What ``read`` makes of a reply that it does not find ``Unusable``.

    After one that it does, the model is told why and asked again, ``MAX_ASKS`` times in
    all; then ``GaveUp`` is raised with the last reason.
    """
    reason = AnnotationFault.EMPTY
    for number in range(MAX_ASKS):
        reply = yield request
        tally.count(request.task, reply)
        try:
            return read(reply)
        except Unusable as fault:
            reason = fault.reason
            if number + 1 < MAX_ASKS:
                tally.asked_again[reason] += 1
                request = _again(request, reply, str(fault), prompts)
    raise GaveUp(reason)


def _again(
    request: AnnotationRequest, reply: Reply, fault: str, prompts: PromptVersion
) -> AnnotationRequest:
    said = _sendable(reply.content or reply.refusal or "(nothing)", _MAX_ECHO)
    told = prompts.write("again", fault=_sendable(fault, _MAX_FAULT))
    more: tuple[Mapping[str, Any], ...] = (
        {"role": "assistant", "content": said},
        {"role": "user", "content": told},
    )
    return replace(request, messages=(*request.messages, *more))


def _sendable(text: str, limit: int) -> str:
    """The beginning of a text; half characters that JSON can smuggle in are replaced."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
