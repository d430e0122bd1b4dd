"""What a chat completion says, in the forms that servers give it, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixel_core.endpoints.completion import is_answer, likely_completion_tokens, read_reply


def body(content: Any, finish: str | None = "stop", **message: Any) -> bytes:
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return json.dumps({"choices": [choice]}).encode()


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "se"}, {"type": "text", "text": "ven"}], "seven"),
        ([THOUGHT, {"type": "text", "text": "seven"}], "seven"),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "7"}], "7"),
        ([{"type": "text", "text": "hm", "thought": True}, {"text": "7"}], "7"),
        (["sev", "en"], "seven"),
        ([{"type": "tool_use", "input": {}}, {"type": "text", "text": 7}, 3, None], None),
        ([THOUGHT], None),
        ([], None),
        ({"text": "7"}, None),
        (None, None),
        ("seven", "seven"),
    ],
)
def test_text_counts_and_thoughts_do_not(content: Any, text: str | None) -> None:
    reply = read_reply(body(content))
    assert (reply.content, reply.refusal, reply.truncated) == (text, "", False)
    assert is_answer(body(content)) == (text is not None)


@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
@pytest.mark.parametrize("content", [None, "", "half", [THOUGHT]])
def test_a_cut_answer_is_one_whatever_is_left_of_it(finish: str, content: Any) -> None:
    assert read_reply(body(content, finish)).truncated
    assert is_answer(body(content, finish))


@pytest.mark.parametrize(
    "refused",
    [
        body(None, refusal="I can't"),
        body(None, "content_filter"),
        body("half a", "SAFETY"),
        body([{"type": "refusal", "refusal": "I can't"}]),
    ],
)
def test_a_refusal_is_an_answer_without_words(refused: bytes) -> None:
    reply = read_reply(refused)
    assert reply.refusal
    assert reply.content is None
    assert is_answer(refused)


def test_only_what_a_model_had_begun_is_likely_to_be_charged_for() -> None:
    begun = b'{"id": "chatcmpl-1", "choices": [{"message": {"content": "' + b"word " * 20
    assert 20 <= likely_completion_tokens(begun) <= 60
    for free in (b"", b"<html>", b'{"error": {"mess', b"[1", b"{}", body("whole")):
        assert likely_completion_tokens(free) == 0
