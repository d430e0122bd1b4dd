"""An episode as a chat completion: whole, or in chunks as its turns end.

The content is the model's text, turns separated by an empty line, ending with its answer.
Everything else our loop knows stands under ``pixel``, which other clients ignore.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pixel_core.records import StopReason
from pixel_core.serving.answer import Answer, AnswerStep

#: Separates two turns' texts.
_GAP = "\n\n"
#: The model was cut short: by its limit of tokens a turn, or of an episode.
_CUT = frozenset({StopReason.TRUNCATED, StopReason.CONTEXT_FULL})


def _new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class ReplyWriter:
    """Writes one completion's objects. ``ignored``: parameters without effect. ``seed``: the
    sampling seed; None when greedy."""

    model: str
    ignored: Sequence[str] = ()
    seed: int | None = None
    id: str = field(default_factory=_new_id)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": _GAP.join(step.text for step in answer.steps),
            "refusal": None,
        }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish_reason(answer),
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": _usage(answer),
            "pixel": self._pixel(answer),
        }

    def first(self) -> dict[str, Any]:
        """The chunk that opens a stream."""
        return self._chunk({"role": "assistant", "content": ""})

    def turn(self, step: AnswerStep) -> dict[str, Any]:
        """The chunk of a turn that has ended."""
        text = step.text if step.number == 1 else _GAP + step.text
        return self._chunk({"content": text}) | {"pixel": {"turn": _turn(step)}}

    def last(self, answer: Answer) -> dict[str, Any]:
        """The chunk with the finish reason."""
        return self._chunk({}, _finish_reason(answer)) | {"pixel": self._pixel(answer)}

    def usage(self, answer: Answer) -> dict[str, Any]:
        """The chunk after the last, for clients that asked for usage."""
        return {
            **self._head("chat.completion.chunk"),
            "choices": [],
            "usage": _usage(answer),
        }

    def _pixel(self, answer: Answer) -> dict[str, Any]:
        return {
            "answer": answer.text,
            "stop": answer.stop.value,
            "turns": [_turn(step) for step in answer.steps],
            "operations": answer.operations,
            "failed_operations": answer.failed_operations,
            "seconds": round(answer.seconds, 3),
            "seed": self.seed,
            "ignored": list(self.ignored),
        }

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _finish_reason(answer: Answer) -> str:
    return "length" if answer.stop in _CUT else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    """Prompt tokens count everything shown to the model: pictures and operations' returns
    included."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.prompt_tokens + answer.tokens,
    }


def _turn(step: AnswerStep) -> dict[str, Any]:
    """``box``: pixels of ``picture``; pictures and frames count from 0."""
    return {
        "text": step.text,
        "box": None if step.box is None else list(step.box.as_tuple()),
        "picture": step.picture,
        "frames": list(step.frames),
        "error": step.error or None,
        "tokens": step.tokens,
    }


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


#: Ends a stream.
DONE = b"data: [DONE]\n\n"
#: A comment that keeps proxies from taking a long turn for a dead connection.
STILL_HERE = b": still thinking\n\n"
