"""What a chat completion says, in the forms that servers give it, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixel_core.models.endpoint.completion import (
    is_answer,
    is_metered,
    likely_completion_tokens,
    read_reply,
)


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


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 50, "completion_tokens": 7}, (50, 7, 0)),
        ({"prompt_tokens": 50.0, "completion_tokens": "7"}, (50, 7, 0)),
        ({"input_tokens": 50, "output_tokens": 7}, (50, 7, 0)),
        ({"prompt_tokens": 50, "total_tokens": 57}, (50, 7, 0)),
        ({"prompt_tokens": 50, "completion_tokens": 0}, (50, 0, 0)),
        # Thoughts that are only in the total are paid for as well.
        ({"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 90}, (50, 40, 0)),
        (
            {
                "prompt_tokens": 50,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 30},
            },
            (50, 7, 30),
        ),
        # It does not say what it cost, and so costs the most that it can have.
        ({}, None),
        (None, None),
        ([50, 7], None),
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        ({"prompt_tokens": -1, "completion_tokens": -1}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": 50}, None),
        ({"completion_tokens": 7}, None),
        ({"total_tokens": 57}, None),
        ({"prompt_tokens": True, "completion_tokens": 1.5}, None),
        ({"prompt_tokens": 10**12, "completion_tokens": 7}, None),
    ],
)
def test_only_a_stated_cost_is_one(usage: Any, tokens: tuple[int, int, int] | None) -> None:
    said = json.dumps({**json.loads(body("seven")), "usage": usage}).encode()
    reply = read_reply(said)
    assert is_metered(said) == (tokens is not None)
    found = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens)
    assert found == (tokens or (0, 0, 0))
    assert reply.content == "seven"


PAID = {"usage": {"prompt_tokens": 50, "completion_tokens": 7}}


@pytest.mark.parametrize(
    "broken",
    [
        body("half an ans", "error"),
        body("half an ans", "abort"),
        body("half an ans", "insufficient_system_resource"),
        json.dumps({**json.loads(body("half")), "error": {"message": "overloaded"}}).encode(),
        json.dumps(
            {"choices": [{**json.loads(body("h"))["choices"][0], "error": "x"}]}
        ).encode(),
    ],
)
@pytest.mark.parametrize("paid", [{}, PAID], ids=["free", "paid"])
def test_what_a_server_broke_off_is_no_answer_and_costs_what_it_says(
    broken: bytes, paid: dict[str, Any]
) -> None:
    said = json.dumps({**json.loads(broken), **paid}).encode()
    assert not is_answer(said)
    assert read_reply(said).content is None
    assert is_metered(said) == bool(paid)


@pytest.mark.parametrize("blank", ["", " \n", "\u200b\ufeff", "\u2060\x00", "\ud800"])
def test_what_nobody_sees_is_an_answer_only_where_it_was_paid_for(blank: str) -> None:
    assert not is_answer(body(blank))
    assert is_answer(json.dumps({**json.loads(body(blank)), **PAID}).encode())


@pytest.mark.parametrize(("finish", "cut"), [("MAX_TOKENS", True), ("content_filter", False)])
@pytest.mark.parametrize("message", [{}, {"message": None}])
def test_without_a_message_the_reason_to_end_still_counts(
    finish: str, cut: bool, message: dict[str, Any]
) -> None:
    said = json.dumps({"choices": [{"finish_reason": finish, **message}]}).encode()
    assert is_answer(said)
    assert read_reply(said).truncated == cut
    assert bool(read_reply(said).refusal) != cut
